/** Sampling variances of standardised effect sizes, for intervals and for pooling (Hedges and Olkin 1985). */
import { checkCount, checkNumber } from '../check.ts'
import { hedgesCorrection } from './effect-size.ts'

/** Var(d) = (n₁ + n₂) / (n₁·n₂) + d² / (2·(n₁ + n₂)) for two independent groups. */
export function cohenDVariance(d: number, n1: number, n2: number): number {
  checkNumber('d', d)
  checkCount('n1', n1, 1)
  checkCount('n2', n2, 1)
  return (n1 + n2) / (n1 * n2) + (d * d) / (2 * (n1 + n2))
}

/** Var(g) = J²·Var(d) for Hedges' g = J·d, with df = n₁ + n₂ − 2 ≥ 1. */
export function hedgesGVariance(d: number, n1: number, n2: number): number {
  checkCount('n1 + n2', n1 + n2, 3)
  return hedgesCorrection(n1 + n2 - 2) ** 2 * cohenDVariance(d, n1, n2)
}

/** Var(d_z) = 1 / n + d_z² / (2·n) for paired differences. */
export function pairedDVariance(dz: number, n: number): number {
  checkNumber('dz', dz)
  checkCount('n', n, 1)
  return 1 / n + (dz * dz) / (2 * n)
}
