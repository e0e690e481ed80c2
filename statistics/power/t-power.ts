/**
 * Power and minimum detectable effect of t-tests, one- or two-sided, exact by the noncentral t.
 *
 *   power = P(T > t₁₋α | λ) one-sided, P(|T| > t₁₋α⸝₂ | λ) two-sided
 *   λ = d_z·√n with df = n − 1 paired, λ = d·√(n₁n₂ / (n₁ + n₂)) with df = n₁ + n₂ − 2 for two groups
 *
 * With clusters n is the number of clusters, never of tokens.
 */
import { checkBetween, checkCount, checkNumber } from '../check.ts'
import { noncentralStudentCdf, studentQuantile } from '../distributions/student.ts'

/** A sign is claimed beforehand (`one-sided`) or not. */
export type Sides = 'one-sided' | 'two-sided'

export interface TestSettings {
  readonly alpha?: number
  readonly sides?: Sides
}

/** Power at noncentrality λ ≥ 0 with `df` ≥ 1 degrees of freedom. */
export function tPower(lambda: number, df: number, { alpha = 0.05, sides = 'two-sided' }: TestSettings = {}): number {
  checkNumber('lambda', lambda, 0)
  checkNumber('df', df, 1)
  checkBetween('alpha', alpha, 0, 1)
  const critical = studentQuantile(1 - (sides === 'two-sided' ? alpha / 2 : alpha), df)
  const above = 1 - noncentralStudentCdf(critical, df, lambda)
  return sides === 'one-sided' ? above : above + noncentralStudentCdf(-critical, df, lambda)
}

/** The least λ that is found with the wanted power; null where power ≤ α, which no effect at all gives already. */
export function detectableNoncentrality(
  df: number,
  { power = 0.8, ...settings }: TestSettings & { readonly power?: number } = {},
): number | null {
  checkBetween('power', power, 0, 1)
  if (tPower(0, df, settings) >= power) return null
  let [low, high] = [0, 1]
  while (tPower(high, df, settings) < power) {
    low = high
    high *= 2
  }
  while (high - low > 1e-9 * high) {
    const middle = (low + high) / 2
    if (tPower(middle, df, settings) < power) low = middle
    else high = middle
  }
  return high
}

/** Power of the paired t-test for d_z ≥ 0, in the claimed sign, over n ≥ 2 documents. */
export function pairedTPower(dz: number, n: number, settings: TestSettings = {}): number {
  checkCount('n', n, 2)
  return tPower(dz * Math.sqrt(n), n - 1, settings)
}

/** Power of the two-sample t-test for d ≥ 0 with n₁ and n₂ documents. */
export function twoSampleTPower(d: number, n1: number, n2: number, settings: TestSettings = {}): number {
  return tPower(d / errorOfD(n1, n2), n1 + n2 - 2, settings)
}

/** The d_z that a paired t-test over n documents finds with the wanted power; null for n < 2 and for power ≤ α. */
export function pairedDetectable(n: number, settings: TestSettings & { readonly power?: number } = {}): number | null {
  checkCount('n', n)
  const lambda = n < 2 ? null : detectableNoncentrality(n - 1, settings)
  return lambda === null ? null : lambda / Math.sqrt(n)
}

/** The d that a two-sample t-test finds with the wanted power; null for n₁ + n₂ < 3 and for power ≤ α. */
export function twoSampleDetectable(
  n1: number,
  n2: number,
  settings: TestSettings & { readonly power?: number } = {},
): number | null {
  const scale = errorOfD(n1, n2)
  const lambda = n1 + n2 < 3 ? null : detectableNoncentrality(n1 + n2 - 2, settings)
  return lambda === null ? null : lambda * scale
}

/** Fewest documents with which a paired t-test finds d_z above 0 with the wanted power. */
export function pairedSampleSize(dz: number, settings: TestSettings & { readonly power?: number } = {}): number {
  checkAbove('dz', dz)
  return smallest(n => pairedTPower(dz, n, settings), settings.power)
}

/** Fewest documents a group with which a two-sample t-test finds d above 0 with the wanted power. */
export function twoSampleSize(d: number, settings: TestSettings & { readonly power?: number } = {}): number {
  checkAbove('d', d)
  return smallest(n => twoSampleTPower(d, n, n, settings), settings.power)
}

/** No number of documents shows an effect of 0. */
function checkAbove(name: string, value: number): void {
  checkNumber(name, value, Number.MIN_VALUE)
}

/** The smallest n ≥ 2 with the wanted power, which does not fall with n. */
function smallest(powerOf: (n: number) => number, wanted = 0.8): number {
  checkBetween('power', wanted, 0, 1)
  let high = 2
  while (powerOf(high) < wanted) high *= 2
  let low = Math.max(1, high / 2)
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (powerOf(middle) >= wanted) high = middle
    else low = middle
  }
  return high
}

function errorOfD(n1: number, n2: number): number {
  checkCount('n1', n1, 1)
  checkCount('n2', n2, 1)
  return Math.sqrt(1 / n1 + 1 / n2)
}
