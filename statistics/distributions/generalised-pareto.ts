/**
 * The generalised Pareto distribution of what exceeds a high threshold (Pickands 1975), fitted by probability-weighted
 * moments (Hosking and Wallis 1987).
 *
 *   P(Y > y) = (1 + ξ·y / σ)^(−1/ξ), and exp(−y / σ) where ξ = 0
 *   b0 = ȳ, b1 = Σ (n − i)·y₍ᵢ₎ / (n·(n − 1)), σ = 2·b0·b1 / (b0 − 2·b1), ξ = 2 − b0 / (b0 − 2·b1)
 */
import { checkNumber, checkValues } from '../check.ts'

export interface GeneralisedPareto {
  /** σ > 0, in the unit of the values. */
  readonly scale: number
  /** ξ: below 0 the values have an upper end at −σ / ξ, above 0 the tail is heavy. */
  readonly shape: number
}

/** The fit to exceedances (values ≥ 0, at least three); null where they do not vary. */
export function fitGeneralisedPareto(exceedances: ArrayLike<number>): GeneralisedPareto | null {
  checkValues('exceedances', exceedances, 3)
  const sorted = Float64Array.from(exceedances).sort()
  checkNumber('exceedances', sorted[0]!, 0)
  const n = sorted.length
  let b0 = 0
  let b1 = 0
  for (let i = 0; i < n; i++) {
    b0 += sorted[i]! / n
    b1 += ((n - 1 - i) * sorted[i]!) / (n * (n - 1))
  }
  const spread = b0 - 2 * b1
  if (!(spread > 1e-12 * b0) || b1 <= 0) return null
  return { scale: (2 * b0 * b1) / spread, shape: 2 - b0 / spread }
}

/** P(Y > y) for y ≥ 0; 0 beyond the upper end. */
export function generalisedParetoUpper(y: number, { scale, shape }: GeneralisedPareto): number {
  checkNumber('y', y, 0)
  if (Math.abs(shape) < 1e-9) return Math.exp(-y / scale)
  const base = 1 + (shape * y) / scale
  return base <= 0 ? 0 : Math.exp(-Math.log(base) / shape)
}

/** The value that is exceeded with probability `upper` in (0, 1]. */
export function generalisedParetoValue(upper: number, { scale, shape }: GeneralisedPareto): number {
  checkNumber('upper', upper, Number.MIN_VALUE, 1)
  if (Math.abs(shape) < 1e-9) return -scale * Math.log(upper)
  return (scale / shape) * (Math.exp(-shape * Math.log(upper)) - 1)
}
