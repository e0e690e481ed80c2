import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../../core/random.ts'
import { startEngine } from '../../engine.ts'
import { tf } from '../../tf.ts'
import { everyWay, largestDifference, opsTestable, startOps } from '../testing.ts'
import { Sampler, seedWords } from './sample.ts'
import { cutAt, type Fired, type SampleTables, tailAt, tailTable } from './tables.ts'

const tail = tailTable()

/** Tables of `features` features, `roots` trees of two levels, with factors of rank `rank`. */
function tablesOf(options: {
  features: number
  width: number
  roots: number
  rank: number
  rate: number
}): SampleTables {
  const { features, width, roots, rank, rate } = options
  const random = new Random(1, 'tables')
  const branching = 3
  const nested = Math.min(features, roots * (1 + branching))
  const firstChild = new Int32Array(features).fill(-1)
  for (let i = 0; i < roots; i++) if (roots + i * branching < nested) firstChild[i] = roots + i * branching
  return {
    ...{ features, width, rank, roots, nested, branching, firstChild },
    directions: random.normals(features * width),
    bias: random.normals(width),
    factor: random.normals(features * rank, 0.3),
    cut: new Float32Array(features).fill(cutAt(tail, rate)),
    mean: new Float32Array(features).fill(2),
    deviation: new Float32Array(features).fill(1),
  }
}

const plainOf = (fired: Fired) => ({
  offsets: [...fired.offsets],
  features: [...fired.features],
  values: [...fired.values],
})

test('the table gives the tail of the normal distribution, and its inverse', () => {
  expect(tailAt(tail, 0)).toBeCloseTo(0.5, 6)
  expect(tailAt(tail, 1.6448536)).toBeCloseTo(0.05, 6)
  expect(tailAt(tail, 3.0902323) / 0.001).toBeCloseTo(1, 4)
  expect(tailAt(tail, -3.0902323)).toBeCloseTo(0.999, 6)
  expect(tailAt(tail, -9)).toBe(1)
  expect(tailAt(tail, 9)).toBe(0)
  for (const p of [1e-6, 5e-4, 0.2, 0.5, 0.9]) expect(tailAt(tail, cutAt(tail, p)) / p).toBeCloseTo(1, 9)
  expect(tailAt(tail, cutAt(tail, 1))).toBe(1)
})

describe('samples of known features, plainly', () => {
  beforeAll(() => startEngine())

  test('a feature that always fires with size 2 puts its direction there twice, beside the bias', () => {
    const sampler = new Sampler({
      ...{ features: 2, width: 2, rank: 0, roots: 0, nested: 0, branching: 2 },
      directions: Float32Array.of(1, 0, 0, 1),
      bias: Float32Array.of(10, 20),
      factor: new Float32Array(0),
      cut: Float32Array.of(-99, 99),
      mean: Float32Array.of(2, 2),
      deviation: new Float32Array(2),
      firstChild: Int32Array.of(-1, -1),
    })
    const { rows, fired } = sampler.draw([1, 2], 0, 2, { plain: true })
    expect(rows.arraySync()).toEqual([
      [12, 20],
      [12, 20],
    ])
    expect(plainOf(fired)).toEqual({ offsets: [0, 1, 2], features: [0, 0], values: [2, 2] })
    rows.dispose()
    sampler.dispose()
  })

  test('a child takes its parent’s size over the parent’s mean, and one of two siblings stands', () => {
    const sampler = new Sampler({
      ...{ features: 3, width: 3, rank: 0, roots: 1, nested: 3, branching: 2 },
      directions: Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1),
      bias: new Float32Array(3),
      factor: new Float32Array(0),
      cut: new Float32Array(3).fill(-99),
      mean: Float32Array.of(2, 10, 100),
      deviation: Float32Array.of(0.5, 0, 0),
      firstChild: Int32Array.of(1, -1, -1),
    })
    const { rows, fired } = sampler.draw([1, 2], 0, 4000, { plain: true })
    let first = 0
    for (let r = 0; r < 4000; r++) {
      expect(fired.offsets[r + 1]! - fired.offsets[r]!).toBe(2)
      const [root, child] = fired.values.subarray(fired.offsets[r]!, fired.offsets[r + 1]!)
      const which = fired.features[fired.offsets[r]! + 1]!
      expect(child).toBe(Math.fround(((which === 1 ? 10 : 100) * root!) / 2))
      if (which === 1) first++
    }
    expect(Math.abs(first - 2000)).toBeLessThan(130) // four standard deviations
    rows.dispose()
    sampler.dispose()
  })

  test('features with a common factor fire together as often as the bivariate normal says', () => {
    // Correlation 1/2 and thresholds at the median: both fire in 1/4 + asin(1/2) / 2π = 1/3 of the samples.
    const noise = Math.SQRT1_2
    const sampler = new Sampler({
      ...{ features: 2, width: 1, rank: 1, roots: 0, nested: 0, branching: 2 },
      directions: Float32Array.of(0, 0),
      bias: new Float32Array(1),
      factor: Float32Array.of(Math.SQRT1_2 / noise, Math.SQRT1_2 / noise),
      cut: new Float32Array(2),
      mean: Float32Array.of(1, 1),
      deviation: new Float32Array(2),
      firstChild: Int32Array.of(-1, -1),
    })
    const count = 20_000
    const { rows, fired } = sampler.draw(seedWords(1), 0, count, { plain: true })
    let both = 0
    for (let r = 0; r < count; r++) if (fired.offsets[r + 1]! - fired.offsets[r]! === 2) both++
    expect(both / count).toBeCloseTo(1 / 3, 1.5)
    expect(Math.abs(both / count - 1 / 3)).toBeLessThan(4 * Math.sqrt(2 / 9 / count))
    expect(fired.features.length / count).toBeCloseTo(1, 1)
    rows.dispose()
    sampler.dispose()
  })

  test('leaves no tensor behind, and the same place gives the same sample in any batch', () => {
    const tables = tablesOf({ features: 40, width: 5, roots: 4, rank: 3, rate: 0.2 })
    const before = tf.memory().numTensors
    const sampler = new Sampler(tables)
    const whole = sampler.draw([5, 6], 0, 20)
    const part = sampler.draw([5, 6], 7, 6)
    expect(part.rows.arraySync()).toEqual(whole.rows.arraySync().slice(7, 13))
    const other = sampler.draw([5, 7], 7, 6)
    expect(other.rows.arraySync()).not.toEqual(part.rows.arraySync())
    tf.dispose([whole.rows, part.rows, other.rows])
    sampler.dispose()
    expect(tf.memory().numTensors).toBe(before)
  })
})

describe.skipIf(!opsTestable)('samples of known features by the op', () => {
  beforeAll(() => startOps())
  const samplers: Sampler[] = []
  afterAll(() => {
    for (const sampler of samplers) sampler.dispose()
  })

  test.each([
    { features: 3, width: 1, roots: 0, rank: 0, rate: 0.5 },
    { features: 37, width: 7, roots: 5, rank: 4, rate: 0.3 },
    { features: 300, width: 33, roots: 20, rank: 9, rate: 0.03 },
    { features: 301, width: 64, roots: 301, rank: 25, rate: 0.02 },
    { features: 130, width: 19, roots: 40, rank: 2, rate: 0.9 },
  ])('agrees with the plain version: $features features, $roots trees', options => {
    const sampler = new Sampler(tablesOf(options))
    samplers.push(sampler)
    const first = 4294967290
    const plain = sampler.draw([11, 12], first, 77, { plain: true })
    everyWay(name => {
      const op = sampler.draw([11, 12], first, 77)
      expect(plainOf(op.fired), name).toEqual(plainOf(plain.fired))
      expect(largestDifference(op.rows, plain.rows), name).toBeLessThan(2e-5 * Math.sqrt(options.features))
      op.rows.dispose()
    })
    expect(plain.fired.features.length).toBeGreaterThan(20)
    plain.rows.dispose()
  })

  test('tables that do not fit are refused in a sentence', () => {
    const tables = tablesOf({ features: 10, width: 3, roots: 2, rank: 2, rate: 0.2 })
    const sampler = new Sampler({ ...tables, mean: tables.mean.slice(1) })
    samplers.push(sampler)
    expect(() => sampler.draw([1, 2], 0, 1)).toThrow('every table must have 10 features')
  })
})
