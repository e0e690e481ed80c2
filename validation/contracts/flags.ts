/** What studies found against a claim that the verdict alone does not show: it may pass, and still not be what it seems. */
import type { LatentFindings } from './index.ts'

/** A few words for each, in the order of weight; none where nothing was asked or found. */
export function flagsOf(studies: LatentFindings): string[] {
  const { dormant, specificity, association, negatives, heterogeneity, transfer } = studies
  return [
    ...(dormant?.dormant ? ['by a pathway that text does not take'] : []),
    ...(specificity?.isolated === false
      ? [`moves other concepts too (${specificity.leaks.join(', ') || 'some'})`]
      : []),
    ...(association?.finding === 'token' ? ['told by the token alone'] : []),
    ...(negatives?.told === false ? ['does not tell the concept from what is most like it'] : []),
    ...(heterogeneity?.fields.some(({ q, everywhere }) => q <= 0.05 && !everywhere) ? ['not everywhere alike'] : []),
    ...(transfer?.verdict === 'fail' ? ['not out of distribution'] : []),
  ]
}
