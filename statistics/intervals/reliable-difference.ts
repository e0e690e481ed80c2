/**
 * The smallest difference of two results that is more than their repetitions differ by, the smallest detectable change of test
 * theory: t · √2 · SE with R − 1 degrees of freedom, SE = s · √(1/R + ρ). Of repetitions that share nothing ρ is 0; where each
 * fits on n₁ and tests on n₂ of the same observations, ρ = n₂ / n₁ (Nadeau and Bengio 2003), since their results depend on each other.
 */
import { checkBetween, checkNumber, checkValues } from '../check.ts'
import { standardDeviation } from '../descriptive.ts'
import { studentQuantile } from '../distributions/student.ts'

/** Null for fewer than three repetitions, which say too little of how much they differ. */
export function smallestReliableDifference(
  repetitions: ArrayLike<number>,
  { overlap = 0, level = 0.95 }: { readonly overlap?: number; readonly level?: number } = {},
): number | null {
  checkValues('repetitions', repetitions, 0)
  checkNumber('overlap', overlap, 0)
  checkBetween('level', level, 0, 1)
  const count = repetitions.length
  if (count < 3) return null
  const error = standardDeviation(repetitions) * Math.sqrt(1 / count + overlap)
  return studentQuantile((1 + level) / 2, count - 1) * Math.SQRT2 * error
}
