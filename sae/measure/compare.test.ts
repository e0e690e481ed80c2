import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { startEngine } from '../../engine/engine.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import { assignBounded, assignLargest, type Nearest } from './assignment.ts'
import { compareRows, matchRows } from './compare.ts'

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
      { numRuns: 300 },
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
      { numRuns: 500 },
    )
  })

  test('is the best but for its step where it knows all columns, and its bound says so', () => {
    fc.assert(
      fc.property(cases, ([values]) => {
        const { upper, reached, best } = run(values, values[0]!.length)
        expect(reached).toBeGreaterThan(best - 1e-3)
        expect(upper - reached).toBeLessThan(1e-3)
      }),
      { numRuns: 500 },
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
  test('are the same up to order, sign and length', () => {
    const a = directions(20, 12, 0)
    const order = new Random(1).shuffle(Int32Array.from({ length: 20 }, (_, i) => i))
    const b = tf.tidy(() => tf.gather(a, tf.tensor1d(order, 'int32')).mul(-3)) as Tensor2D
    const { mcc, shared, match, p, exact } = compareRows(a, b)
    expect(mcc).toBeCloseTo(1, 5)
    expect(shared).toBe(1)
    expect(exact).toBe(true)
    expect([...match].every((j, i) => order[j] === i)).toBe(true)
    expect(p).toBe(1 / 20)
  })

  test('that have nothing in common share no more than chance', () => {
    const { shared, null: nulls, p } = compareRows(directions(40, 12, 0), directions(40, 12, 5))
    expect(shared).toBeLessThanOrEqual(Math.max(...nulls) + 0.1)
    expect(p).toBeGreaterThan(0.05)
  })

  test('of more latents than are matched exactly are matched nearly as well, and the bound holds', () => {
    const a = directions(60, 16, 0)
    const b = tf.tidy(() => a.add(directions(60, 16, 3).mul(0.4))) as Tensor2D
    const [exact, near] = [compareRows(a, b), compareRows(a, b, { exactUpTo: 10 })]
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
    const { match, upper } = matchRows(a, b, 5)
    expect([...match]).toEqual(Array.from({ length: 50 }, (_, i) => (i >= 10 && i < 40 ? i - 10 : -1)))
    expect(upper).toBeCloseTo(30, 4)
  })

  test('of different size match as far as the smaller goes', () => {
    const a = directions(6, 8, 0)
    const { match, stability } = matchRows(a, a.slice([0, 0], [4, 8]))
    expect([...match.slice(0, 4)]).toEqual([0, 1, 2, 3])
    expect([...match.slice(4)]).toEqual([-1, -1])
    expect([...stability.slice(4)]).toEqual([0, 0])
  })

  test('leave no tensor behind', () => {
    const [a, b] = [directions(5, 4, 0), directions(5, 4, 1)]
    const before = tf.memory().numTensors
    compareRows(a, b)
    expect(tf.memory().numTensors).toBe(before)
  })
})
