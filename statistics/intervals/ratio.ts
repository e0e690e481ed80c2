/** The ratio of two independent means. */
import { checkBetween, checkValues } from '../check.ts'
import { mean, standardDeviation } from '../descriptive.ts'
import { studentQuantile } from '../distributions/student.ts'

/** A ratio and its interval; null where there is none. */
export interface RatioInterval {
  readonly ratio: number | null
  readonly low: number | null
  readonly high: number | null
}

/**
 * mean(a) / mean(b) of independent samples with Fieller's interval (1954), by Student's t at Welch's degrees of freedom under
 * the ratio found. Where b's mean is not told from 0 at this level the set is no interval, and there are no bounds; nor are
 * there with fewer than three values on a side.
 */
export function meanRatio(a: ArrayLike<number>, b: ArrayLike<number>, level = 0.95): RatioInterval {
  checkValues('a', a)
  checkValues('b', b)
  checkBetween('level', level, 0, 1)
  const nothing = { ratio: null, low: null, high: null }
  if (mean(b) === 0) return nothing
  const ratio = mean(a) / mean(b)
  if (a.length < 3 || b.length < 3) return { ...nothing, ratio }
  const errorOf = (values: ArrayLike<number>) => standardDeviation(values) ** 2 / values.length
  const [va, vb] = [errorOf(a), errorOf(b)]
  const [wa, wb] = [va, ratio ** 2 * vb]
  if (wa + wb === 0) return { ratio, low: ratio, high: ratio }
  const df = (wa + wb) ** 2 / (wa ** 2 / (a.length - 1) + wb ** 2 / (b.length - 1))
  const t = studentQuantile((1 + level) / 2, df)
  const g = (t ** 2 * vb) / mean(b) ** 2
  if (g >= 1) return { ...nothing, ratio }
  const margin = (t / Math.abs(mean(b))) * Math.sqrt(va * (1 - g) + ratio ** 2 * vb)
  return { ratio, low: (ratio - margin) / (1 - g), high: (ratio + margin) / (1 - g) }
}
