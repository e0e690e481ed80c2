/**
 * Equivalence by two one-sided tests (Schuirmann 1987): evidence that an effect is smaller than a margin, which the
 * absence of significance is not.
 */
import { checkNumber, checkValues } from '../check.ts'
import { mean, standardDeviation } from '../descriptive.ts'
import { studentCdf } from '../distributions/student.ts'

export interface Equivalence {
  /** The larger of the two one-sided p-values: below α the mean lies within ±margin. */
  readonly p: number
  readonly pLower: number
  readonly pUpper: number
}

/** TOST of the mean of paired differences against ±margin; p is 1 for fewer than two differences. */
export function tost(differences: ArrayLike<number>, margin: number): Equivalence {
  checkValues('differences', differences, 0)
  checkNumber('margin', margin)
  const n = differences.length
  if (n < 2) return { p: 1, pLower: 1, pUpper: 1 }
  const centre = mean(differences)
  const error = standardDeviation(differences) / Math.sqrt(n)
  if (error === 0) {
    const p = Math.abs(centre) < margin ? 0 : 1
    return { p, pLower: p, pUpper: p }
  }
  const pLower = 1 - studentCdf((centre + margin) / error, n - 1)
  const pUpper = studentCdf((centre - margin) / error, n - 1)
  return { p: Math.max(pLower, pUpper), pLower, pUpper }
}
