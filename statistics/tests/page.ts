/**
 * Page's test of a trend over ordered treatments that every block had (Page 1963): doses within documents.
 *
 *   L = Σⱼ j · Rⱼ, Rⱼ the sum over blocks of treatment j's rank within its block, midranks for ties
 *   E L = n·k·(k + 1)² / 4,  Var L = Σ over blocks of Σⱼ (j − j̄)² · Σⱼ (rⱼ − r̄)² / (k − 1), which ties make smaller
 */
import type { Random } from '../../core/random.ts'
import { checkCount, checkValues } from '../check.ts'
import { midranks } from '../descriptive.ts'
import { normalCdf } from '../distributions/normal.ts'

export interface PageTrend {
  readonly statistic: number
  readonly expected: number
  /** (L − E L) / √Var L; null where no block varies. */
  readonly z: number | null
  /** That the values rise, by the normal distribution of z; 1 where z is null. */
  readonly p: number
  /** (1 + #{L* ≥ L}) / (1 + draws) over orders within blocks; never 0. */
  readonly permutationP: number
  readonly draws: number
}

/** At least one block of at least two values, in the order in which they should rise; blocks of one length. */
export function pageTrend(blocks: readonly ArrayLike<number>[], random: Random, draws = 2000): PageTrend {
  checkCount('the number of blocks', blocks.length, 1)
  checkCount('draws', draws, 1)
  const k = blocks[0]!.length
  checkCount('the number of treatments', k, 2)
  blocks.forEach((block, i) => {
    checkValues(`blocks[${i}]`, block)
    checkCount(`the length of blocks[${i}]`, block.length, k)
    checkCount('the number of treatments', k, block.length)
  })
  const ranks = blocks.map(block => Float64Array.from(midranks(block)))
  const statistic = statisticOf(ranks)
  const expected = (blocks.length * k * (k + 1) ** 2) / 4
  const middle = (k + 1) / 2
  const places = (k * (k * k - 1)) / 12
  const variance = ranks.reduce(
    (sum, block) => sum + (places * block.reduce((squares, rank) => squares + (rank - middle) ** 2, 0)) / (k - 1),
    0,
  )
  const z = variance > 0 ? (statistic - expected) / Math.sqrt(variance) : null
  let count = 1
  for (let draw = 0; draw < draws; draw++) {
    for (const block of ranks) random.shuffle(block)
    if (statisticOf(ranks) >= statistic) count++
  }
  return {
    statistic,
    expected,
    z,
    p: z === null ? 1 : normalCdf(-z),
    permutationP: count / (draws + 1),
    draws,
  }
}

function statisticOf(ranks: readonly Float64Array[]): number {
  let sum = 0
  for (const block of ranks) for (let j = 0; j < block.length; j++) sum += (j + 1) * block[j]!
  return sum
}
