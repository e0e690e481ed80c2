/** Student's interval of a mean: exact for normal values at every n, and the honest choice for few documents. */
import { checkBetween, checkValues } from '../check.ts'
import { mean, standardDeviation } from '../descriptive.ts'
import { studentQuantile } from '../distributions/student.ts'

export interface MeanInterval {
  readonly estimate: number
  readonly standardError: number | null
  readonly low: number | null
  readonly high: number | null
  readonly level: number
  readonly df: number
}

/**
 * x̄ ± t₁₋α⸝₂,ₙ₋₁ · s / √n (Student 1908). Bounds are null for one value, and where the values do not vary: equal values
 * say nothing of their spread.
 */
export function meanInterval(values: ArrayLike<number>, level = 0.95): MeanInterval {
  checkValues('values', values)
  checkBetween('level', level, 0, 1)
  const n = values.length
  const estimate = mean(values)
  const df = n - 1
  if (n < 2) return { estimate, standardError: null, low: null, high: null, level, df }
  const standardError = standardDeviation(values) / Math.sqrt(n)
  // Equal values whose mean is rounded leave a spread of rounding errors.
  if (standardError <= 1e-15 * Math.abs(estimate)) {
    return { estimate, standardError: 0, low: null, high: null, level, df }
  }
  const half = studentQuantile(1 - (1 - level) / 2, df) * standardError
  return { estimate, standardError, low: estimate - half, high: estimate + half, level, df }
}
