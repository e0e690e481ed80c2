/** Claims about intervals over clusters. Values of other libraries: `cases.test.ts`; coverage: `coverage.test.ts`. */
import { describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { clusterBootstrap, fewestClusters } from './cluster-bootstrap.ts'
import { clusterMeanBootstrap, clusterMeanInterval } from './cluster-mean.ts'
import { jackknife, jackknifeError } from './jackknife.ts'
import { meanInterval } from './mean.ts'

const methods = ['percentile', 'bca', 'bootstrap-t'] as const
const numbered = (n: number) => Uint32Array.from({ length: n }, (_, i) => i)
const skewed = (n: number, seed = 0) => {
  const random = new Random(seed)
  return Float64Array.from({ length: n }, () => Math.exp(random.normal()))
}

describe('the bootstrap over clusters', () => {
  test.each(methods)('%s gives no bounds for too few clusters, and says so', method => {
    const n = fewestClusters[method]
    const options = { method, random: new Random(1) }
    const few = clusterMeanBootstrap(skewed(n - 1), numbered(n - 1), options)
    expect(few).toMatchObject({ low: null, high: null, draws: 0 })
    expect(few.reason).toBe(`${method} needs at least ${n} clusters, and there are ${n - 1}`)
    const enough = clusterMeanBootstrap(skewed(n), numbered(n), options)
    expect(enough.reason).toBeNull()
    expect(enough.low!).toBeLessThan(enough.estimate!)
    expect(enough.high!).toBeGreaterThan(enough.estimate!)
  })

  test.each(methods)('%s of equal clusters has no bounds', method => {
    const equal = clusterMeanBootstrap(new Array(30).fill(0.1), numbered(30), { method, random: new Random(1) })
    expect(equal).toMatchObject({ low: null, high: null, reason: 'the clusters do not vary' })
  })

  test.each(methods)('%s gives the same digits for the same seed', method => {
    const of = (seed: number) => {
      return clusterMeanBootstrap(skewed(25), numbered(25), { method, random: new Random(seed), draws: 300 })
    }
    expect(of(4)).toEqual(of(4))
    expect(of(4).low).not.toBe(of(5).low)
  })

  test('bootstrap-t reaches farther to the side of the tail, and the jackknife serves where no error is given', () => {
    const values = skewed(25)
    const options = { method: 'bootstrap-t', draws: 2000 } as const
    const own = clusterMeanBootstrap(values, numbered(25), { ...options, random: new Random(2) })
    expect(own.high! - own.estimate!).toBeGreaterThan(1.2 * (own.estimate! - own.low!))
    const mean = (sample: Uint32Array) => sample.reduce((sum, i) => sum + values[i]!, 0) / sample.length
    const jack = clusterBootstrap(25, mean, { ...options, random: new Random(2) })
    expect(jack.low!).toBeCloseTo(own.low!, 9)
    expect(jack.high!).toBeCloseTo(own.high!, 9)
  })

  test('a statistic that is undefined in many samples has no bounds, and NaN is refused', () => {
    const oneOf = (sample: Uint32Array) => (sample.includes(3) ? sample[0]! : null)
    const options = { method: 'percentile', random: new Random(0) } as const
    expect(clusterBootstrap(20, oneOf, options).reason).toBe('the statistic is not defined in too many samples')
    expect(clusterBootstrap(20, () => null, options)).toMatchObject({ estimate: null, low: null })
    expect(() => clusterBootstrap(20, () => Number.NaN, options)).toThrow('the statistic of a sample must be')
  })
})

describe('the mean over clusters', () => {
  test('of clusters of one value is the plain mean', () => {
    const values = skewed(9)
    expect(clusterMeanInterval(values, numbered(9)).high).toBeCloseTo(meanInterval(values).high!, 12)
  })

  test('repeating every window of a document changes nothing', () => {
    const values = [...skewed(6)]
    const twice = clusterMeanInterval([...values, ...values], [...numbered(6), ...numbered(6)])
    expect(twice.low).toBeCloseTo(clusterMeanInterval(values, numbered(6)).low!, 12)
    expect(twice.df).toBe(5)
  })

  test('counts windows, so that long documents weigh more', () =>
    expect(clusterMeanInterval([1, 1, 1, 5], ['a', 'a', 'a', 'b']).estimate).toBe(2))
})

test('the jackknife of a mean is its standard error', () => {
  const values = skewed(7)
  const mean = (sample: Uint32Array) => sample.reduce((sum, i) => sum + values[i]!, 0) / sample.length
  expect(jackknifeError(numbered(7), mean)).toBeCloseTo(meanInterval(values).standardError!, 12)
  expect(jackknife(numbered(2), mean)).toEqual([values[1], values[0]])
  expect(jackknifeError(numbered(1), mean)).toBeNull()
})
