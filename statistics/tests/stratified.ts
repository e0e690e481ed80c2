/**
 * Label permutation within strata: whether values differ between labels when whatever the strata hold fixed is held
 * fixed (Good 2005). The statistic is Σ over strata of (sum of the values labelled 1 − its expectation), so strata in
 * which only one label occurs say nothing.
 */
import type { Random } from '../../core/random.ts'
import { checkCount, checkLabels, checkParallel, checkValues } from '../check.ts'
import type { Alternative } from './permutation.ts'

/** Up to this many arrangements of the labels every one is counted. */
const exactLimit = 20_000

export interface StratifiedPermutation {
  /** Σ over strata of the labelled sum less its expectation under the null. */
  readonly statistic: number
  /** Never 0; 1 where no stratum has both labels. */
  readonly p: number
  readonly exact: boolean
  /** Arrangements counted, the observed one among them. */
  readonly arrangements: number
}

interface Stratum {
  readonly values: Float64Array
  readonly labels: Uint8Array
}

/** Exact where at most 20,000 arrangements keep the strata, else (1 + #{as extreme}) / (1 + draws). */
export function stratifiedPermutation(
  values: ArrayLike<number>,
  labels: ArrayLike<number>,
  strata: ArrayLike<number | string>,
  random: Random,
  { alternative = 'two-sided', draws = 10_000 }: { alternative?: Alternative; draws?: number } = {},
): StratifiedPermutation {
  checkValues('values', values)
  checkParallel('values', values, 'labels', labels)
  checkParallel('values', values, 'strata', strata)
  checkLabels('labels', labels)
  checkCount('draws', draws, 1)
  const members = split(values, labels, strata)
  const observed = members.reduce((sum, { values, labels }) => sum + labelled(values, labels), 0)
  // The same sum added in another order differs by rounding of the values: equal within it counts as equal.
  const slack = 1e-12 * Array.from(values).reduce((sum, value) => sum + Math.abs(value), 0)
  const extreme = (sum: number) =>
    alternative === 'greater'
      ? sum >= observed - slack
      : alternative === 'less'
        ? sum <= observed + slack
        : Math.abs(sum) >= Math.abs(observed) - slack

  const arrangements = members.reduce((product, { labels }) => product * combinations(labels), 1)
  let count = 0
  if (arrangements <= exactLimit) {
    for (const sum of everySum(members)) if (extreme(sum)) count++
    return { statistic: observed, p: count / arrangements, exact: true, arrangements }
  }
  count = 1
  for (let draw = 0; draw < draws; draw++) {
    let sum = 0
    for (const { values, labels } of members) sum += labelled(values, random.shuffle(labels))
    if (extreme(sum)) count++
  }
  return { statistic: observed, p: count / (draws + 1), exact: false, arrangements: draws + 1 }
}

/** The strata that have both labels, their values centred, so that a labelled sum's expectation is 0. */
function split(values: ArrayLike<number>, labels: ArrayLike<number>, strata: ArrayLike<number | string>): Stratum[] {
  const places = new Map<number | string, number[]>()
  for (let i = 0; i < values.length; i++) places.set(strata[i]!, [...(places.get(strata[i]!) ?? []), i])
  return [...places.values()]
    .map(items => {
      const centre = items.reduce((sum, i) => sum + values[i]!, 0) / items.length
      return {
        values: Float64Array.from(items, i => values[i]! - centre),
        labels: Uint8Array.from(items, i => labels[i]!),
      }
    })
    .filter(({ labels }) => labels.includes(0) && labels.includes(1))
}

function labelled(values: Float64Array, labels: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) if (labels[i]) sum += values[i]!
  return sum
}

/** n choose the number of labels 1. */
function combinations(labels: Uint8Array): number {
  const chosen = labels.reduce((a, b) => a + b, 0)
  let product = 1
  for (let i = 1; i <= chosen; i++) product = Math.round((product * (labels.length - chosen + i)) / i)
  return product
}

/** The statistic of every arrangement. */
function everySum(members: readonly Stratum[]): number[] {
  let sums = [0]
  for (const { values, labels } of members) {
    const own: number[] = []
    const choose = (from: number, left: number, sum: number): void => {
      if (left === 0) own.push(sum)
      else for (let i = from; i <= values.length - left; i++) choose(i + 1, left - 1, sum + values[i]!)
    }
    choose(
      0,
      labels.reduce((a, b) => a + b, 0),
      0,
    )
    sums = sums.flatMap(sum => own.map(more => sum + more))
  }
  return sums
}
