/**
 * Ratios of means of the same documents, with Fieller's interval (1954): its level holds at every number of documents, where
 * quotients resampled from a few do not reach theirs. Of independent documents: `ratio.ts`.
 */
import { checkBetween, checkParallel, checkValues } from '../check.ts'
import { mean, variance } from '../descriptive.ts'
import { studentQuantile } from '../distributions/student.ts'
import type { RatioInterval } from './ratio.ts'

/** Mean and variance of a numerator and a denominator, and what the two have in common. */
interface Moments {
  readonly numerator: number
  readonly denominator: number
  readonly numeratorVariance: number
  readonly covariance: number
  readonly denominatorVariance: number
}

/** The r for which (a − r·b)² ≤ t² · Var(a − r·b); no bounds where b may be 0 and the ratio anything. */
function fieller(moments: Moments, t: number): RatioInterval {
  const { numerator, denominator, numeratorVariance, covariance, denominatorVariance } = moments
  const ratio = numerator / denominator
  const square = denominator ** 2 - t ** 2 * denominatorVariance
  if (!(square > 0)) return { ratio, low: null, high: null }
  const product = numerator * denominator - t ** 2 * covariance
  const root = Math.sqrt(Math.max(0, product ** 2 - square * (numerator ** 2 - t ** 2 * numeratorVariance)))
  return { ratio, low: (product - root) / square, high: (product + root) / square }
}

/** mean(a) / mean(b) with a value of each for every document. Null bounds for one document; no ratio where mean(b) is 0. */
export function pairedMeanRatio(a: ArrayLike<number>, b: ArrayLike<number>, level = 0.95): RatioInterval {
  checkValues('a', a)
  checkValues('b', b)
  checkParallel('a', a, 'b', b)
  checkBetween('level', level, 0, 1)
  const [numerator, denominator] = [mean(a), mean(b)]
  if (denominator === 0) return { ratio: null, low: null, high: null }
  const n = a.length
  if (n < 2) return { ratio: numerator / denominator, low: null, high: null }
  let product = 0
  for (let i = 0; i < n; i++) product += (a[i]! - numerator) * (b[i]! - denominator)
  const moments = {
    numerator,
    denominator,
    numeratorVariance: variance(a) / n,
    covariance: product / (n - 1) / n,
    denominatorVariance: variance(b) / n,
  }
  return fieller(moments, studentQuantile(1 - (1 - level) / 2, n - 1))
}

/**
 * The mean over the documents of which `inside` is not 0 by the mean over all of them,
 *
 *   x̄ = w·x̄ᵢₙ + (1 − w)·x̄ₒᵤₜ,  w = nᵢₙ / n taken as it is,
 *
 * with Welch's and Satterthwaite's degrees of freedom at the estimate. Exactly 1 where all are inside; null bounds where a
 * side has a single document.
 */
export function subsetMeanRatio(values: ArrayLike<number>, inside: ArrayLike<number>, level = 0.95): RatioInterval {
  checkValues('values', values)
  checkValues('inside', inside)
  checkParallel('values', values, 'inside', inside)
  checkBetween('level', level, 0, 1)
  const all = Array.from(values)
  const within = all.filter((_, i) => inside[i] !== 0)
  const without = all.filter((_, i) => inside[i] === 0)
  const [numerator, denominator] = [mean(within), mean(all)]
  if (within.length === 0 || denominator === 0) return { ratio: null, low: null, high: null }
  const ratio = numerator / denominator
  if (without.length === 0) return { ratio, low: ratio, high: ratio }
  if (within.length === 1 || without.length === 1) return { ratio, low: null, high: null }

  const w = within.length / all.length
  const [a, b] = [variance(within) / within.length, variance(without) / without.length]
  const [first, second] = [(1 - ratio * w) ** 2 * a, (ratio * (1 - w)) ** 2 * b]
  const [n, m] = [within.length - 1, without.length - 1]
  const df = first + second > 0 ? (first + second) ** 2 / (first ** 2 / n + second ** 2 / m) : n + m
  const moments = {
    numerator,
    denominator,
    numeratorVariance: a,
    covariance: w * a,
    denominatorVariance: w ** 2 * a + (1 - w) ** 2 * b,
  }
  return fieller(moments, studentQuantile(1 - (1 - level) / 2, df))
}
