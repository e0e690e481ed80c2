/** The interval of the difference of two means whose values are independent and may vary differently (Welch 1947). */
import { checkBetween, checkValues } from '../check.ts'
import { mean, variance } from '../descriptive.ts'
import { studentQuantile } from '../distributions/student.ts'
import type { MeanInterval } from './mean.ts'

/**
 * x̄ − ȳ ± t₁₋α⸝₂ · √(s²x / n + s²y / m), with the degrees of freedom of Welch and Satterthwaite. Bounds are null where a
 * sample has fewer than two values, or neither varies.
 */
export function welchInterval(first: ArrayLike<number>, second: ArrayLike<number>, level = 0.95): MeanInterval {
  checkValues('first', first)
  checkValues('second', second)
  checkBetween('level', level, 0, 1)
  const estimate = mean(first) - mean(second)
  const none = { estimate, standardError: null, low: null, high: null, level, df: 0 }
  if (first.length < 2 || second.length < 2) return none
  const [a, b] = [variance(first) / first.length, variance(second) / second.length]
  const standardError = Math.sqrt(a + b)
  // Equal values whose means are rounded leave a spread of rounding errors.
  if (standardError <= 1e-15 * (Math.abs(mean(first)) + Math.abs(mean(second)))) return { ...none, standardError: 0 }
  const df = (a + b) ** 2 / (a ** 2 / (first.length - 1) + b ** 2 / (second.length - 1))
  const half = studentQuantile(1 - (1 - level) / 2, df) * standardError
  return { estimate, standardError, low: estimate - half, high: estimate + half, level, df }
}
