/** Sample sizes by the normal approximation, where no exact formula is in use: proportions, correlations, AUROC. */
import { checkBetween, checkCount, checkNumber } from '../check.ts'
import { normalQuantile } from '../distributions/normal.ts'

export interface Wanted {
  readonly alpha?: number
  readonly power?: number
}

function quantiles({ alpha = 0.05, power = 0.8 }: Wanted): [zAlpha: number, zBeta: number] {
  checkBetween('alpha', alpha, 0, 1)
  checkBetween('power', power, 0, 1)
  return [normalQuantile(1 - alpha / 2), normalQuantile(power)]
}

/**
 * Documents a group that tell p₁ from p₂ two-sided (Fleiss 1981):
 * n = (z₁₋α⸝₂·√(2·p̄·q̄) + z_β·√(p₁q₁ + p₂q₂))² / (p₁ − p₂)². Null for p₁ = p₂.
 */
export function proportionSampleSize(p1: number, p2: number, wanted: Wanted = {}): number | null {
  checkNumber('p1', p1, 0, 1)
  checkNumber('p2', p2, 0, 1)
  const [a, b] = quantiles(wanted)
  if (p1 === p2) return null
  const p = (p1 + p2) / 2
  const spread = a * Math.sqrt(2 * p * (1 - p)) + b * Math.sqrt(p1 * (1 - p1) + p2 * (1 - p2))
  return Math.ceil((spread / (p1 - p2)) ** 2)
}

/** Pairs that tell a correlation from 0: ((z₁₋α⸝₂ + z_β) / atanh r)² + 3. Null for r = 0 and |r| = 1. */
export function correlationSampleSize(r: number, wanted: Wanted = {}): number | null {
  checkNumber('r', r, -1, 1)
  const [a, b] = quantiles(wanted)
  return r === 0 || Math.abs(r) === 1 ? null : Math.ceil(((a + b) / Math.atanh(r)) ** 2 + 3)
}

/**
 * Variance of an AUROC A with m positives and n negatives (Hanley and McNeil 1982):
 * (A(1 − A) + (m − 1)(Q₁ − A²) + (n − 1)(Q₂ − A²)) / (mn), Q₁ = A / (2 − A), Q₂ = 2A² / (1 + A).
 */
export function aurocVariance(a: number, m: number, n: number): number {
  checkNumber('the AUROC', a, 0, 1)
  checkCount('m', m, 1)
  checkCount('n', n, 1)
  const q1 = a / (2 - a)
  const q2 = (2 * a * a) / (1 + a)
  return (a * (1 - a) + (m - 1) * (q1 - a * a) + (n - 1) * (q2 - a * a)) / (m * n)
}

/** Fewest positives, with as many negatives, that tell an AUROC from ½ two-sided. Null for ½. */
export function aurocSampleSize(a: number, wanted: Wanted = {}): number | null {
  checkNumber('the AUROC', a, 0, 1)
  const [zAlpha, zBeta] = quantiles(wanted)
  if (a === 0.5) return null
  const enough = (n: number) =>
    zAlpha * Math.sqrt(aurocVariance(0.5, n, n)) + zBeta * Math.sqrt(aurocVariance(a, n, n)) <= Math.abs(a - 0.5)
  let high = 1
  while (!enough(high)) high *= 2
  let low = Math.floor(high / 2)
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (enough(middle)) high = middle
    else low = middle
  }
  return high
}
