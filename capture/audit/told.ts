/** What an audit comes to, in sentences. */
import { figure } from '../../core/text.ts'
import type { CaptureAudit } from '../../datasets/shards/audit.ts'
import { smallestP } from './gates.ts'

const percent = (share: number) => `${figure(100 * share)} %`

/** A line each for what a person should know of the sample before the capture is used. */
export function auditLines(rows: number, audit: CaptureAudit): string[] {
  const { vocabulary, documents, strata, sites, fullPass, effectiveSize } = audit
  const p = smallestP(audit)
  const thin = strata.filter(stratum => stratum.thin)
  const hopeless = thin.filter(({ detectable }) => detectable === null).length
  const best = Math.min(...thin.map(({ detectable }) => detectable ?? Number.POSITIVE_INFINITY))
  const outliers = sites.filter(site => site.outliers.rows > 0)
  return [
    `sample: ${figure(Math.round(effectiveSize))} effective of ${figure(rows)} rows; ${p === null ? 'every token was taken, or too few to test the draw' : `p of the draw ${figure(p)} (Holm)`}`,
    `vocabulary: ${figure(vocabulary.rows)} of the text's ${figure(vocabulary.population)} ids, ${percent(vocabulary.coverage)} of its tokens`,
    ...(fullPass
      ? sites.map(
          ({ name, mean, trace }) =>
            `full pass at ${name}: mean off by ${figure(mean.distance)} (likely ${figure(mean.error)}), trace ${figure(trace.estimate)} [${figure(trace.low)}, ${figure(trace.high)}] for ${figure(trace.full)}`,
        )
      : []),
    ...(documents.duplicates.documents > 0
      ? [
          `duplicates: ${figure(documents.duplicates.documents)} documents are copies, ${percent(documents.duplicates.rows)} of the rows`,
        ]
      : []),
    ...(documents.overRepresented.length > 0
      ? [`over-represented: ${documents.overRepresented.map(({ id }) => id).join(', ')}`]
      : []),
    ...outliers.map(
      ({ name, outliers }) =>
        `norms at ${name}: ${figure(outliers.rows)} rows beyond ${figure(outliers.low)} to ${figure(outliers.high)}`,
    ),
    ...(thin.length > 0
      ? [
          `thin strata: ${thin.length} of ${strata.length}; ${hopeless > 0 ? `${hopeless} cannot show anything` : ''}${hopeless > 0 && hopeless < thin.length ? ', ' : ''}${hopeless < thin.length ? `the others effects (d_z) from ${figure(best)}` : ''}`,
        ]
      : []),
  ]
}
