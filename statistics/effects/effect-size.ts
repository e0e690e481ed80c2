/** Standardised effect sizes: how large a difference is in units of the spread between documents. */
import { mean, standardDeviation, variance } from '../descriptive.ts'

/** Cohen's d of two independent groups: (x̄ − ȳ) / s_pooled. */
export function cohenD(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const pooled = ((x.length - 1) * variance(x) + (y.length - 1) * variance(y)) / (x.length + y.length - 2)
  return (mean(x) - mean(y)) / Math.sqrt(pooled)
}

/** Hedges' small-sample correction J = 1 − 3 / (4·df − 1). */
export function hedgesCorrection(df: number): number {
  return 1 - 3 / (4 * df - 1)
}

/** Hedges' g of two independent groups: d·J with df = n₁ + n₂ − 2. */
export function hedgesG(x: ArrayLike<number>, y: ArrayLike<number>): number {
  return cohenD(x, y) * hedgesCorrection(x.length + y.length - 2)
}

/** Paired effect size d_z = δ̄ / s_δ of per-document differences. */
export function pairedD(differences: ArrayLike<number>): number {
  return mean(differences) / standardDeviation(differences)
}

/** Hedges' g of paired differences: d_z·J with df = n − 1. */
export function pairedG(differences: ArrayLike<number>): number {
  return pairedD(differences) * hedgesCorrection(differences.length - 1)
}
