/**
 * Jonckheere and Terpstra's test of a trend over ordered groups, such as doses (Terpstra 1952; Jonckheere 1954).
 *
 *   J = Σ over groups a < b of #{x < y} + #{x = y} / 2 for x in a and y in b,  E J = (N² − Σ nᵢ²) / 4
 *   Var J with ties by Hollander, Wolfe and Chicken (2014), 6.19
 */
import type { Random } from '../../core/random.ts'
import { checkCount, checkValues } from '../check.ts'
import { normalCdf } from '../distributions/normal.ts'
import type { Alternative } from './permutation.ts'

export interface Trend {
  readonly statistic: number
  readonly expected: number
  /** (J − E J) / √Var J; null where all values are equal. */
  readonly z: number | null
  /** By the normal distribution of z; 1 where z is null. */
  readonly p: number
  /** (1 + #{J* as extreme}) / (1 + draws) over random orders of the values; never 0. */
  readonly permutationP: number
  readonly draws: number
}

/**
 * At least two groups, each of at least one value, in the order in which the values should rise (`greater`) or fall
 * (`less`). The values are taken as independent: give one value a document and dose, not one a token.
 */
export function jonckheereTerpstra(
  groups: readonly ArrayLike<number>[],
  random: Random,
  { alternative = 'two-sided', draws = 2000 }: { alternative?: Alternative; draws?: number } = {},
): Trend {
  checkCount('the number of groups', groups.length, 2)
  checkCount('draws', draws, 1)
  groups.forEach((group, i) => {
    checkValues(`groups[${i}]`, group)
  })
  const sizes = groups.map(group => group.length)
  const values = Float64Array.from(groups.flatMap(group => Array.from(group)))
  const n = values.length
  const statistic = statisticOf(values, sizes)
  const expected = (n * n - sizes.reduce((sum, size) => sum + size * size, 0)) / 4
  const spread = variance(values, sizes)
  const z = spread === 0 ? null : (statistic - expected) / Math.sqrt(spread)
  const p =
    z === null
      ? 1
      : alternative === 'greater'
        ? normalCdf(-z)
        : alternative === 'less'
          ? normalCdf(z)
          : 2 * normalCdf(-Math.abs(z))
  let count = 1
  const shuffled = values.slice()
  for (let draw = 0; draw < draws; draw++) {
    const other = statisticOf(random.shuffle(shuffled), sizes)
    if (
      alternative === 'greater'
        ? other >= statistic
        : alternative === 'less'
          ? other <= statistic
          : Math.abs(other - expected) >= Math.abs(statistic - expected)
    )
      count++
  }
  return { statistic, expected, z, p, permutationP: count / (draws + 1), draws }
}

function statisticOf(values: Float64Array, sizes: readonly number[]): number {
  let sum = 0
  let start = 0
  for (const size of sizes) {
    for (let j = start; j < start + size; j++) {
      for (let i = 0; i < start; i++) sum += values[i]! < values[j]! ? 1 : values[i]! === values[j]! ? 0.5 : 0
    }
    start += size
  }
  return sum
}

function variance(values: Float64Array, sizes: readonly number[]): number {
  const n = values.length
  const counts = new Map<number, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  const ties = [...counts.values()]
  const over = (items: readonly number[], f: (t: number) => number) => items.reduce((sum, t) => sum + f(t), 0)
  const five = (t: number) => t * (t - 1) * (2 * t + 5)
  const three = (t: number) => t * (t - 1) * (t - 2)
  const two = (t: number) => t * (t - 1)
  return (
    (five(n) - over(sizes, five) - over(ties, five)) / 72 +
    (n > 2 ? (over(sizes, three) * over(ties, three)) / (36 * three(n)) : 0) +
    (over(sizes, two) * over(ties, two)) / (8 * two(n))
  )
}
