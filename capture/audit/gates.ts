/** Gates on the audit of a capture. */
import { z } from 'zod'
import { atLeast, atMost, type Gate } from '../../core/gate.ts'
import type { CaptureAudit } from '../../datasets/shards/audit.ts'
import { adjust } from '../../statistics/multiplicity/family.ts'

const share = z.number().min(0).max(1).optional()

export const CaptureGates = z
  .strictObject({
    minimumP: share.describe('Smallest p of all checks of the draw and of the full pass, by Holm'),
    maximumPsi: z.number().min(0).optional().describe('Largest stability index of a field, rows counted by weight'),
    minimumEffectiveShare: share.describe('Smallest effective sample size, as a share of the rows'),
    minimumCoverage: share.describe("Smallest share of the text's tokens whose id the rows have"),
    maximumThinStrata: z.int().min(0).optional().describe('Most strata with too few documents for a claim'),
    maximumDuplicates: share.describe('Largest share of rows that are of copies of other documents'),
    maximumOutliers: share.describe('Largest share of rows of unusual norm, at any site'),
  })
  .prefault({})
  .describe('Thresholds on the audit that set the exit code: 2 where one fails, 3 where one cannot be decided')
export type CaptureGates = z.output<typeof CaptureGates>

/** The configured gates with their outcome; undecided where the capture has no audit, or nothing was left to chance. */
export function judgeCapture(gates: CaptureGates, rows: number, audit: CaptureAudit | null): Gate[] {
  const most = <T>(of: readonly T[] | undefined, value: (one: T) => number) => of && Math.max(0, ...of.map(value))
  return [
    ...atLeast('minimumP', gates.minimumP, audit && smallestP(audit)),
    ...atMost(
      'maximumPsi',
      gates.maximumPsi,
      most(audit?.fields, ({ psi }) => psi.weighted),
    ),
    ...atLeast('minimumEffectiveShare', gates.minimumEffectiveShare, audit && audit.effectiveSize / rows),
    ...atLeast('minimumCoverage', gates.minimumCoverage, audit?.vocabulary.coverage),
    ...atMost('maximumThinStrata', gates.maximumThinStrata, audit?.strata.filter(({ thin }) => thin).length),
    ...atMost('maximumDuplicates', gates.maximumDuplicates, audit?.documents.duplicates.rows),
    ...atMost(
      'maximumOutliers',
      gates.maximumOutliers,
      most(audit?.sites, ({ outliers }) => outliers.rows / rows),
    ),
  ]
}

/** The smallest p of the draw, the fields and the sites' means, adjusted by Holm; null where there is none. */
export function smallestP({ draw, fields, sites }: CaptureAudit): number | null {
  const all = [draw.p, ...fields.map(({ chiSquare }) => chiSquare.p), ...sites.map(({ mean }) => mean.p)]
  const known = all.filter(p => p !== null)
  return known.length === 0 ? null : Math.min(...adjust('checks of a sample', known, 'holm').adjusted)
}
