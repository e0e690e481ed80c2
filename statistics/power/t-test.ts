/** Power of t-tests on means, exact by the noncentral t: what a number of documents can and cannot show. */
import { checkNumber } from '../check.ts'
import { noncentralStudentCdf, studentQuantile } from '../distributions/student.ts'

/** Power of a two-sided t-test with `df` degrees of freedom at noncentrality δ. */
function powerAt(
  delta: number,
  df: number,
  alpha: number,
  critical: number = studentQuantile(1 - alpha / 2, df),
): number {
  return 1 - noncentralStudentCdf(critical, df, delta) + noncentralStudentCdf(-critical, df, delta)
}

/** Power of the paired t-test for the standardised effect d_z over n documents. */
export function pairedPower(dz: number, n: number, alpha = 0.05): number {
  checkNumber('dz', dz)
  return n < 2 ? 0 : powerAt(Math.abs(dz) * Math.sqrt(n), n - 1, alpha)
}

/** Power of the two-sample t-test for Cohen's d with n documents a group. */
export function twoSamplePower(d: number, n: number, alpha = 0.05): number {
  checkNumber('d', d)
  return n < 2 ? 0 : powerAt(Math.abs(d) * Math.sqrt(n / 2), 2 * n - 2, alpha)
}

/** Fewest documents with which a paired t-test finds d_z with the wanted power. */
export function pairedSampleSize(dz: number, alpha = 0.05, power = 0.8): number {
  return smallest(n => pairedPower(dz, n, alpha) >= power)
}

/** Fewest documents a group with which a two-sample t-test finds d with the wanted power. */
export function twoSampleSize(d: number, alpha = 0.05, power = 0.8): number {
  return smallest(n => twoSamplePower(d, n, alpha) >= power)
}

/**
 * The smallest mean difference, in the unit of `standardDeviation`, that a paired t-test over n documents finds with
 * the wanted power. Infinity for fewer than two documents.
 */
export function minimumDetectableEffect(n: number, standardDeviation: number, alpha = 0.05, power = 0.8): number {
  if (n < 2) return Infinity
  checkNumber('standardDeviation', standardDeviation, 0)
  const critical = studentQuantile(1 - alpha / 2, n - 1)
  const reached = (dz: number) => powerAt(dz * Math.sqrt(n), n - 1, alpha, critical) >= power
  let low = 0
  let high = 1
  while (!reached(high)) high *= 2
  while (high - low > 1e-7 * high) {
    const middle = (low + high) / 2
    if (reached(middle)) high = middle
    else low = middle
  }
  return high * standardDeviation
}

/** The smallest n ≥ 2 that satisfies a condition monotone in n. */
function smallest(enough: (n: number) => boolean): number {
  let high = 2
  while (!enough(high)) high *= 2
  let low = Math.max(1, high / 2)
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (enough(middle)) high = middle
    else low = middle
  }
  return high
}
