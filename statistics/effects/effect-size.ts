/** Standardised effect sizes: how large a difference is in units of the spread between documents. */
import { checkNumber, checkValues } from '../check.ts'
import { mean, standardDeviation, variance } from '../descriptive.ts'

/** Cohen's d of two independent groups: (x̄ − ȳ) / s_pooled; null where neither group varies. */
export function cohenD(x: ArrayLike<number>, y: ArrayLike<number>): number | null {
  checkValues('x', x)
  checkValues('y', y)
  const df = x.length + y.length - 2
  if (df < 1) return null
  const squares = (values: ArrayLike<number>) => (values.length < 2 ? 0 : (values.length - 1) * variance(values))
  return standardised(mean(x) - mean(y), Math.sqrt((squares(x) + squares(y)) / df), Math.max(largest(x), largest(y)))
}

/** Hedges' small-sample correction J = 1 − 3 / (4·df − 1), for df ≥ 1. */
export function hedgesCorrection(df: number): number {
  checkNumber('df', df, 1)
  return 1 - 3 / (4 * df - 1)
}

/** Hedges' g of two independent groups: d·J with df = n₁ + n₂ − 2; null where d is. */
export function hedgesG(x: ArrayLike<number>, y: ArrayLike<number>): number | null {
  const d = cohenD(x, y)
  return d === null ? null : d * hedgesCorrection(x.length + y.length - 2)
}

/** Paired effect size d_z = δ̄ / s_δ of per-document differences; null for one of them, and where they do not vary. */
export function pairedD(differences: ArrayLike<number>): number | null {
  checkValues('differences', differences)
  if (differences.length < 2) return null
  return standardised(mean(differences), standardDeviation(differences), largest(differences))
}

/** Hedges' g of paired differences: d_z·J with df = n − 1; null where d_z is. */
export function pairedG(differences: ArrayLike<number>): number | null {
  const dz = pairedD(differences)
  return dz === null ? null : dz * hedgesCorrection(differences.length - 1)
}

function largest(values: ArrayLike<number>): number {
  return Array.from(values).reduce((a, b) => Math.max(a, Math.abs(b)), 0)
}

/** A spread that is only what rounding the mean leaves counts as none. */
function standardised(difference: number, spread: number, scale: number): number | null {
  return spread <= 1e-15 * scale ? null : difference / spread
}
