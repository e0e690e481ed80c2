/** The data part of the report: what was sampled from what, by stratum. */
import type { CaptureAudit } from '../../datasets/shards/audit.ts'
import type { CaptureManifest } from '../../datasets/shards/manifest.ts'
import { short } from '../charts/index.ts'
import { escapeHtml, shown } from '../html.ts'
import { table } from './page.ts'

/** Strata shown; the rest are counted. */
const mostStrata = 40

/** Rows, sites and the strata's population and sample. */
export function captureHtml(manifest: CaptureManifest): string {
  const { sampling, sites, dataset, audit } = manifest
  const strata = [...sampling.strata].sort((a, b) => b.population - a.population || a.index - b.index)
  const name = (values: Readonly<Record<string, string>>) =>
    Object.entries(values)
      .map(([field, value]) => `${field} ${value}`)
      .join(', ') || 'all tokens'
  const rows = strata.slice(0, mostStrata).map(({ index, values, population, sample, probability }) => {
    const audited = audit?.strata[index]
    return [
      shown(name(values)),
      short(population),
      short(sample),
      short(probability),
      audited ? short(audited.documents) : '–',
      audited && audited.effectiveSize !== null ? short(audited.effectiveSize) : '–',
      audited && audited.detectable !== null ? short(audited.detectable) : '–',
    ]
  })
  const more =
    strata.length > mostStrata
      ? `<p class="soft">${strata.length - mostStrata} smaller strata are in capture.json.</p>`
      : ''
  const siteRows = sites.map(({ name, width, statistics }) => [
    `<code>${escapeHtml(name)}</code>`,
    String(width),
    short(statistics.norm),
  ])
  return `<p>${short(manifest.rows)} of ${short(sampling.population)} tokens of <b>${shown(dataset.name)}</b> (${short(dataset.documents)} documents), ${escapeHtml(sampling.allocation)} allocation, stored as ${manifest.dtype}. Positions left out: ${sampling.excludePositions.join(', ') || 'none'}.</p>
${table(['Site', '#Width', '#Mean norm'], siteRows)}
<h3 class="strata">Strata</h3>
${table(['Stratum', '#Population', '#Sample', '#Probability', '#Documents', '#Effective', '#Shows d from'], rows)}${more}
${audit ? auditHtml(audit) : ''}`
}

/** How the sample stands for the text: checks of the draw, estimates with intervals, copies and outliers. */
function auditHtml(audit: CaptureAudit): string {
  const { draw, fields, vocabulary, documents, sites } = audit
  const known = (value: number | null) => (value === null ? '–' : short(value))
  const checks = [
    ['rows of the strata', '', '', draw],
    ...fields.map(({ field, psi, chiSquare }) => [field, short(psi.rows), short(psi.weighted), chiSquare] as const),
  ] as const
  const interval = ({ estimate, low, high, full }: CaptureAudit['sites'][number]['trace']) => [
    `${short(estimate)} (${short(low)} to ${short(high)})`,
    known(full),
  ]
  const { duplicates, overRepresented } = documents
  return `<h3 class="strata">Audit</h3>
<p>${short(audit.effectiveSize)} effective rows. The rows have ${short(vocabulary.rows)} of the text's ${short(vocabulary.population)} token ids, ${short(100 * vocabulary.coverage)} % of its tokens. ${short(duplicates.documents)} documents are copies (${short(100 * duplicates.rows)} % of the rows); ${overRepresented.length === 0 ? 'none has' : `${overRepresented.length} have`} more rows than the draw should give.</p>
${table(
  ['Check', '#PSI of rows', '#PSI by weight', '#χ²', '#df', '#p'],
  checks.map(([field, rows, weighted, { statistic, df, p }]) => [
    shown(field),
    rows,
    weighted,
    short(statistic),
    String(df),
    known(p),
  ]),
)}
${table(
  ['Site', '#Mean is off by', '#Likely', '#Trace (95 %)', '#Full pass', '#Norm (95 %)', '#Full pass', '#Outliers'],
  sites.map(({ name, mean, trace, norm, outliers }) => [
    `<code>${escapeHtml(name)}</code>`,
    known(mean.distance),
    short(mean.error),
    ...interval(trace),
    ...interval(norm),
    short(outliers.rows),
  ]),
)}`
}
