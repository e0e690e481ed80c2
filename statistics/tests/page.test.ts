import { expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { pageTrend } from './page.ts'

/** Ten students' ratings of three forms of teaching, in the order in which they should rise. */
const ratings = [
  ...[
    [3, 4, 3],
    [2, 2, 4],
    [3, 3, 5],
    [1, 3, 2],
    [2, 3, 2],
  ],
  ...[
    [2, 4, 5],
    [1, 2, 4],
    [3, 4, 4],
    [2, 4, 5],
    [1, 3, 4],
  ],
]

test('L is that of SciPy’s page_trend_test on its own example', () => {
  const { statistic, expected, p } = pageTrend(ratings, new Random('page'))
  expect(statistic).toBe(133.5)
  expect(expected).toBe(120)
  expect(p).toBeLessThan(0.002)
})

/** All orders of 1, 2, 3. */
const orders = [
  [1, 2, 3],
  [1, 3, 2],
  [2, 1, 3],
  [2, 3, 1],
  [3, 1, 2],
  [3, 2, 1],
]

test('mean, variance and p are those of all orders within blocks', () => {
  const all = orders.flatMap(a => orders.flatMap(b => orders.map(c => [a, b, c])))
  const L = all.map(blocks =>
    blocks.reduce((sum, block) => sum + block.reduce((s, rank, j) => s + (j + 1) * rank, 0), 0),
  )
  const mean = L.reduce((sum, x) => sum + x, 0) / L.length
  const variance = L.reduce((sum, x) => sum + (x - mean) ** 2, 0) / L.length
  const blocks = [
    [0.1, 0.5, 0.9],
    [2, 1, 4],
    [7, 8, 9],
  ]
  const found = pageTrend(blocks, new Random('page', 2), 20_000)
  expect(found.expected).toBe(mean)
  expect(found.z).toBeCloseTo((found.statistic - mean) / Math.sqrt(variance), 10)
  const exact = L.filter(x => x >= found.statistic).length / L.length
  expect(Math.abs(found.permutationP - exact)).toBeLessThan(0.004)
})

test('blocks that do not vary show no trend, and blocks of different lengths are refused', () => {
  expect(
    pageTrend(
      [
        [1, 1],
        [2, 2],
      ],
      new Random(0),
    ),
  ).toMatchObject({ z: null, p: 1, permutationP: 1 })
  expect(() =>
    pageTrend(
      [
        [1, 2],
        [1, 2, 3],
      ],
      new Random(0),
    ),
  ).toThrow()
})
