import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { InterruptedError } from '../../core/errors.ts'
import { Random } from '../../core/random.ts'
import { startEngine } from '../../engine/engine.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import { makeSae } from '../make.ts'
import { assignBounded, assignLargest, atOnce, type Nearest } from './assignment.ts'
import { compareRows, compareSaes, placesOf } from './compare.ts'
import { matchRows } from './matching.ts'

beforeAll(() => startEngine())

/** The largest sum over all one-to-one matchings, by trying them all. */
function bestSum(values: number[][]): number {
  const [n, m] = [values.length, values[0]!.length]
  const rest = (row: number, taken: number): number => {
    if (row === n) return 0
    // With more rows than columns some row stays alone.
    let best = n > m ? rest(row + 1, taken) : Number.NEGATIVE_INFINITY
    for (let j = 0; j < m; j++)
      if (!(taken & (1 << j))) best = Math.max(best, values[row]![j]! + rest(row + 1, taken | (1 << j)))
    return best
  }
  return rest(0, 0)
}

describe('the exact matching', () => {
  test('has the largest sum there is, for any shape', () => {
    const size = fc.integer({ min: 1, max: 6 })
    const matrices = fc.tuple(size, size).chain(([n, m]) =>
      fc.array(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: m, maxLength: m }), {
        minLength: n,
        maxLength: n,
      }),
    )
    fc.assert(
      fc.property(matrices, values => {
        const match = assignLargest(Float32Array.from(values.flat()), values.length, values[0]!.length)
        const chosen = [...match].filter(j => j >= 0)
        expect(new Set(chosen).size).toBe(chosen.length)
        expect(chosen.length).toBe(Math.min(values.length, values[0]!.length))
        expect([...match].reduce((sum, j, i) => sum + (j < 0 ? 0 : values[i]![j]!), 0)).toBe(bestSum(values))
      }),
      { seed: 1, numRuns: 300 },
    )
  })
  test('gives up a row’s favourite where that is better for all', () => {
    expect([...assignLargest(Float32Array.of(9, 8, 8, 1), 2, 2)]).toEqual([1, 0])
  })
})

/** Each row's largest values, as the approximate matching is given them. */
function nearestOf(values: number[][], count: number): Nearest {
  const sorted = values.map(row => row.map((value, j) => ({ value, j })).sort((a, b) => b.value - a.value || a.j - b.j))
  const kept = sorted.flatMap(row => row.slice(0, count))
  return {
    index: Int32Array.from(kept, ({ j }) => j),
    value: Float32Array.from(kept, ({ value }) => value),
    count,
  }
}

describe('the bounded matching', () => {
  const cases = fc
    .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 2 }), fc.integer({ min: 1, max: 8 }))
    .chain(([n, more, count]) =>
      fc.tuple(
        fc.array(fc.array(fc.integer({ min: 0, max: 20 }), { minLength: n + more, maxLength: n + more }), {
          minLength: n,
          maxLength: n,
        }),
        fc.constant(Math.min(count, n + more)),
      ),
    )
  const run = (values: number[][], count: number) => {
    const scaled = values.map(row => row.map(value => value / 20))
    const { match, upper } = assignBounded(nearestOf(scaled, count), values.length, values[0]!.length)
    const reached = [...match].reduce((sum, j, i) => sum + scaled[i]![j]!, 0)
    return { match, upper, reached, best: bestSum(scaled) }
  }

  test('is one to one, and no matching exceeds its bound, however few columns of a row it knows', () => {
    fc.assert(
      fc.property(cases, ([values, count]) => {
        const { match, upper, reached, best } = run(values, count)
        expect(new Set(match).size).toBe(values.length)
        expect(Math.min(...match)).toBeGreaterThanOrEqual(0)
        expect(reached).toBeLessThanOrEqual(best + 1e-9)
        expect(upper).toBeGreaterThanOrEqual(best - 1e-6)
      }),
      { seed: 1, numRuns: 500 },
    )
  })

  test('is the best but for its step where it knows all columns, and its bound says so', () => {
    fc.assert(
      fc.property(cases, ([values]) => {
        const { upper, reached, best } = run(values, values[0]!.length)
        expect(reached).toBeGreaterThan(best - 1e-3)
        expect(upper - reached).toBeLessThan(1e-3)
      }),
      { seed: 1, numRuns: 500 },
    )
  })

  test('gives up a row’s favourite where that is better for all', () => {
    const pairs = { index: Int32Array.of(0, 1, 0, 1), value: Float32Array.of(0.9, 0.8, 0.8, 0.1), count: 2 }
    expect([...assignBounded(pairs, 2, 2).match]).toEqual([1, 0])
  })
})

const directions = (rows: number, width: number, seed: number) =>
  tf.tensor2d(new Random(seed).normals(rows * width), [rows, width])

describe('two dictionaries', () => {
  test('are the same up to order, sign and length', async () => {
    const a = directions(20, 12, 0)
    const order = new Random(1).shuffle(Int32Array.from({ length: 20 }, (_, i) => i))
    const b = tf.tidy(() => tf.gather(a, tf.tensor1d(order, 'int32')).mul(-3)) as Tensor2D
    const { mcc, shared, match, p, exact } = await compareRows(a, b)
    expect(mcc).toBeCloseTo(1, 5)
    expect(shared).toBe(1)
    expect(exact).toBe(true)
    expect([...match].every((j, i) => order[j] === i)).toBe(true)
    expect(p).toBe(1 / 20)
  })

  test('that have nothing in common share no more than chance', async () => {
    const { shared, null: nulls, p } = await compareRows(directions(40, 12, 0), directions(40, 12, 5))
    expect(shared).toBeLessThanOrEqual(Math.max(...nulls) + 0.1)
    expect(p).toBeGreaterThan(0.05)
  })

  test('of more latents than are matched exactly are matched nearly as well, and the bound holds', async () => {
    const a = directions(60, 16, 0)
    const b = tf.tidy(() => a.add(directions(60, 16, 3).mul(0.4))) as Tensor2D
    const [exact, near] = [await compareRows(a, b), await compareRows(a, b, { exactUpTo: 10 })]
    expect(exact).toMatchObject({ exact: true, mccBound: exact.mcc })
    expect(near.exact).toBe(false)
    expect(near.mcc).toBeLessThanOrEqual(exact.mcc + 1e-6)
    expect(near.mcc).toBeGreaterThan(exact.mcc - 0.005)
    expect(near.mccBound).toBeGreaterThanOrEqual(exact.mcc - 1e-6)
    expect(near.mccBound).toBeLessThan(near.mcc + 0.02)
  })

  test('of which the first has more are matched the other way round, beyond the exact size too', () => {
    const a = directions(50, 12, 0)
    const b = a.slice([10, 0], [30, 12]) as Tensor2D
    const { match, upper } = atOnce(matchRows(a, b, 5))
    expect([...match]).toEqual(Array.from({ length: 50 }, (_, i) => (i >= 10 && i < 40 ? i - 10 : -1)))
    expect(upper).toBeCloseTo(30, 4)
  })

  test('of different size match as far as the smaller goes', () => {
    const a = directions(6, 8, 0)
    const { match, stability } = atOnce(matchRows(a, a.slice([0, 0], [4, 8])))
    expect([...match.slice(0, 4)]).toEqual([0, 1, 2, 3])
    expect([...match.slice(4)]).toEqual([-1, -1])
    expect([...stability.slice(4)]).toEqual([0, 0])
  })

  test('leave no tensor behind', async () => {
    const [a, b] = [directions(5, 4, 0), directions(5, 4, 1)]
    const before = tf.memory().numTensors
    await compareRows(a, b)
    expect(tf.memory().numTensors).toBe(before)
  })

  test('a row of zeros has no direction and matches nothing, beyond the exact size too', async () => {
    const a = directions(8, 6, 0)
    const b = tf.tidy(() => a.mul(tf.tensor2d([0, 1, 1, 1, 1, 1, 1, 1], [8, 1]))) as Tensor2D
    for (const exactUpTo of [100, 2]) {
      const found = await compareRows(a, b, { draws: 1, exactUpTo })
      expect(found.zeroRows).toEqual([0, 1])
      expect([...found.match]).toEqual([-1, 1, 2, 3, 4, 5, 6, 7])
      expect(found.stability[0]).toBe(0)
      expect(found.mcc).toBeCloseTo(7 / 8, 6)
    }
  })

  test('are the same however small or large their rows are', async () => {
    const a = directions(8, 6, 0)
    for (const size of [1e-25, 1e25]) {
      const b = tf.tidy(() => a.mul(size)) as Tensor2D
      const { mcc, zeroRows } = await compareRows(a, b, { draws: 0 })
      expect(mcc, String(size)).toBeCloseTo(1, 6)
      expect(zeroRows).toEqual([0, 0])
    }
  })

  test('without draws have no null to be compared with', async () => {
    const a = directions(4, 6, 0)
    expect(await compareRows(a, a, { draws: 0 })).toMatchObject({ p: null, null: [] })
  })

  test('of which one holds a number that is not finite are refused, and the latent is named', async () => {
    const a = directions(4, 3, 0)
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const rows = Array.from({ length: 12 }, (_, i) => (i === 7 ? value : i))
      await expect(compareRows(a, tf.tensor2d(rows, [4, 3]))).rejects.toThrow(
        'The decoder row of latent 2 of the second SAE is not finite.',
      )
    }
    const rows = tf.fill([4, 3], Number.NaN) as Tensor2D
    await expect(compareRows(rows, a)).rejects.toThrow(
      'latent 0 of the first SAE is not finite, nor are those of 3 more',
    )
  })

  test('are left when asked to, with no tensor behind', async () => {
    const [a, b] = [directions(50, 4, 0), directions(50, 4, 1)]
    const stop = new AbortController()
    const before = tf.memory().numTensors
    for (const exactUpTo of [100, 2]) {
      const comparing = compareRows(a, b, { draws: 1000, exactUpTo, signal: stop.signal })
      stop.abort()
      await expect(comparing).rejects.toThrow(InterruptedError)
      expect(tf.memory().numTensors).toBe(before)
    }
  })
})

describe('a matching', () => {
  test('of values that are not finite is refused instead of sought for ever', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => assignLargest(Float32Array.of(1, value, 0, 1), 2, 2)).toThrow('needs finite values')
      expect(() => assignLargest(Float32Array.of(1, value), 2, 1)).toThrow('needs finite values')
      const nearest = { index: Int32Array.of(0, 1, 0, 1), value: Float32Array.of(value, 0, 1, 0), count: 2 }
      expect(() => assignBounded(nearest, 2, 2)).toThrow('needs finite values')
    }
  })

  test('by auction is refused where its step is lost in the values', () => {
    const nearest = { index: Int32Array.of(0, 0), value: Float32Array.of(1e20, 1e20), count: 1 }
    expect(() => assignBounded(nearest, 2, 2)).toThrow('is lost in values')
  })
})

describe('the places of two SAEs', () => {
  const at = (metadata: Record<string, unknown>) => ({ metadata: { hook_name: '', ...metadata } })
  test('are named where they differ, and nothing is said where they do not', () => {
    const a = at({ hook_name: 'blocks.1.hook_resid_post', model_name: 'gpt2' })
    expect(placesOf(a, a).notices).toEqual([])
    const other = at({ hook_name: 'blocks.2.hook_resid_post', model_name: 'gpt2' })
    const { sites, notices } = placesOf(a, other)
    expect(sites).toEqual(['blocks.1.hook_resid_post', 'blocks.2.hook_resid_post'])
    expect(notices).toHaveLength(1)
    expect(notices[0]).toContain('different sites, blocks.1.hook_resid_post and blocks.2.hook_resid_post')
    expect(placesOf(a, at({ hook_name: 'blocks.1.hook_resid_post' })).notices[0]).toContain('gpt2 and unknown')
  })

  test('are where they write: a transcoder is compared by what it predicts', () => {
    const transcoder = at({ hook_name: 'blocks.1.hook_mlp_in', hook_name_out: 'blocks.1.hook_mlp_out' })
    expect(placesOf(transcoder, at({ hook_name: 'blocks.1.hook_mlp_out' })).notices).toEqual([])
  })

  test('must have one width to be compared', async () => {
    const sae = (width: number) =>
      makeSae({
        architecture: 'standard',
        config: {},
        metadata: { hook_name: '' },
        params: {
          W_enc: tf.ones([width, 3]),
          b_enc: tf.zeros([3]),
          W_dec: tf.ones([3, width]),
          b_dec: tf.zeros([width]),
        },
      })
    await expect(compareSaes(sae(4), sae(5))).rejects.toThrow('The SAEs write to different widths: 4 and 5.')
  })
})
