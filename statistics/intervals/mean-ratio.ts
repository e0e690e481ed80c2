/**
 * The mean over some of the documents by the mean over all of them, with Fieller's interval (1954), whose level holds at
 * every number of documents, where quotients resampled from a few do not reach theirs.
 *
 *   r ∈ interval  ⇔  (x̄ᵢₙ − r·x̄)² ≤ t² · [(1 − r·w)² · s²ᵢₙ / nᵢₙ + r²·(1 − w)² · s²ₒᵤₜ / nₒᵤₜ],  w = nᵢₙ / n
 *
 * for a share w that is taken as it is, since x̄ = w·x̄ᵢₙ + (1 − w)·x̄ₒᵤₜ.
 */
import { checkBetween, checkParallel, checkValues } from '../check.ts'
import { mean, variance } from '../descriptive.ts'
import { studentQuantile } from '../distributions/student.ts'

export interface MeanRatio {
  /** Null where the mean over all is 0, or none is inside. */
  readonly estimate: number | null
  /** Null where a side has a single document, or the mean over all may be 0 and the ratio anything. */
  readonly low: number | null
  readonly high: number | null
}

/** The ratio for values of documents of which `inside` (1 or 0) are some. */
export function meanRatioInterval(values: ArrayLike<number>, inside: ArrayLike<number>, level = 0.95): MeanRatio {
  checkValues('values', values)
  checkValues('inside', inside)
  checkParallel('values', values, 'inside', inside)
  checkBetween('level', level, 0, 1)
  const all = Array.from(values)
  const within = all.filter((_, i) => inside[i] !== 0)
  const without = all.filter((_, i) => inside[i] === 0)
  const [whole, part] = [mean(all), mean(within)]
  if (within.length === 0 || whole === 0) return { estimate: null, low: null, high: null }
  const estimate = part / whole
  if (without.length === 0) return { estimate, low: estimate, high: estimate }
  if (within.length === 1 || without.length === 1) return { estimate, low: null, high: null }

  const share = within.length / all.length
  const [a, b] = [variance(within) / within.length, variance(without) / without.length]
  const t = studentQuantile(1 - (1 - level) / 2, freedom())
  const [partSquare, product, wholeSquare] = [
    part ** 2 - t ** 2 * a,
    part * whole - t ** 2 * share * a,
    whole ** 2 - t ** 2 * (share ** 2 * a + (1 - share) ** 2 * b),
  ]
  if (!(wholeSquare > 0)) return { estimate, low: null, high: null }
  const root = Math.sqrt(Math.max(0, product ** 2 - wholeSquare * partSquare))
  return { estimate, low: (product - root) / wholeSquare, high: (product + root) / wholeSquare }

  /** Welch's and Satterthwaite's for the two variances as they count at the estimate. */
  function freedom(): number {
    const [first, second] = [(1 - estimate * share) ** 2 * a, (estimate * (1 - share)) ** 2 * b]
    const [n, m] = [within.length - 1, without.length - 1]
    return first + second > 0 ? (first + second) ** 2 / (first ** 2 / n + second ** 2 / m) : n + m
  }
}
