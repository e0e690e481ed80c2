/** What studies found against a claim that the verdict alone does not show: it may pass, and still not be what it seems. */
import type { LatentFindings } from './index.ts'

/** A stratum in which the effect is the other way, with the upper bound of its interval as claimed, which lies below 0. */
export interface ReversedStratum {
  readonly field: string
  readonly value: string
  readonly high: number
}

/** Strata in which the effect is against the claim, by intervals that hold for all strata of a field at once. */
export function reversedStrata({ heterogeneity }: LatentFindings): ReversedStratum[] {
  return (heterogeneity?.fields ?? []).flatMap(({ field, worst: { value, high } }) =>
    high !== null && high < 0 ? [{ field, value, high }] : [],
  )
}

/** A few words for each, in the order of weight; none where nothing was asked or found. */
export function flagsOf(studies: LatentFindings): string[] {
  const { dormant, specificity, association, negatives, heterogeneity, transfer } = studies
  const reversed = reversedStrata(studies)
  const differs = heterogeneity?.fields.some(
    ({ field, q, everywhere }) => q <= 0.05 && !everywhere && !reversed.some(one => one.field === field),
  )
  return [
    ...(reversed.length > 0
      ? [`the other way in ${reversed.map(({ field, value }) => `${field}=${value}`).join(', ')}`]
      : []),
    ...(dormant?.dormant ? ['by a pathway that text does not take'] : []),
    ...(specificity?.isolated === false
      ? [`moves other concepts too (${specificity.leaks.join(', ') || 'some'})`]
      : []),
    ...(association?.finding === 'token' ? ['told by the token alone'] : []),
    ...(negatives?.told === false ? ['does not tell the concept from what is most like it'] : []),
    ...(differs ? ['not everywhere alike'] : []),
    ...(transfer?.verdict === 'fail' ? ['not out of distribution'] : []),
  ]
}
