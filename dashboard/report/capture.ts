/** The data part of the report: what was sampled from what, by stratum. */
import type { CaptureAudit } from '../../datasets/shards/audit.ts'
import type { CaptureManifest } from '../../datasets/shards/manifest.ts'
import { short } from '../charts/index.ts'
import { escapeHtml, shown } from '../html.ts'
import type { Origin } from '../origin.ts'
import { type Column, table } from './page.ts'

/** Strata shown; the rest are counted. */
const mostStrata = 40

/** Rows, sites and the strata's population and sample. `run` is the capture, where numbers lead to its file. */
export function captureHtml(manifest: CaptureManifest, run?: string): string {
  const from = (where: (row: number) => string): Origin | undefined =>
    run === undefined ? undefined : { run, file: 'capture.json', where, n: `${manifest.rows} rows` }
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
  const { unchecked = [] } = dataset
  const unseen =
    unchecked.length > 0
      ? ` Packed without checksums, so that a changed byte may not have been seen: ${unchecked.map(name => shown(name)).join(', ')}.`
      : ''
  return `<p>${short(manifest.rows)} of ${short(sampling.population)} tokens of <b>${shown(dataset.name)}</b> (${short(dataset.documents)} documents), ${escapeHtml(sampling.allocation)} allocation, stored as ${manifest.dtype}. Positions left out: ${sampling.excludePositions.join(', ') || 'none'}.${unseen}</p>
${table(
  [
    'Site',
    { name: '#Width', path: 'width', definition: 'values of a row at the site' },
    { name: '#Mean norm', path: 'statistics.norm', definition: 'mean Euclidean norm of the stored rows' },
  ],
  siteRows,
  from(row => `sites[${row}]`),
)}
<h3 class="strata">Strata</h3>
${table(
  strataColumns,
  rows,
  from(row => `sampling.strata[] | select(.index==${strata[row]!.index})`),
)}${more}
${
  audit
    ? auditHtml(
        audit,
        from(row => `audit.sites[${row}]`),
      )
    : ''
}`
}

/** Those of the audit stand in its own list of strata, at the stratum's index. */
const inAudit = (name: string) => `; in audit.strata[] at the same index, as ${name}`
const strataColumns: readonly Column[] = [
  'Stratum',
  { name: '#Population', path: 'population', definition: 'tokens that could be taken' },
  { name: '#Sample', path: 'sample', definition: 'rows that were taken' },
  { name: '#Probability', path: 'probability', definition: 'chance of a token to be taken' },
  { name: '#Documents', definition: `documents with a row${inAudit('documents')}` },
  {
    name: '#Effective',
    definition: `rows that would say as much if none were of the same document, the least over the sites${inAudit('effectiveSize')}`,
  },
  {
    name: '#Shows d from',
    definition: `smallest effect (d_z) that a claim about so many documents finds${inAudit('detectable')}`,
  },
]

/** How the sample stands for the text: checks of the draw, estimates with intervals, copies and outliers. */
function auditHtml(audit: CaptureAudit, ofSites: Origin | undefined): string {
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
  [
    'Site',
    {
      name: '#Mean is off by',
      path: 'mean.distance',
      definition:
        'how far the weighted mean is off that of the full pass, in root mean squares of the deviation from the mean',
    },
    { name: '#Likely', path: 'mean.error', definition: 'how far the weighted mean is likely off, in the same unit' },
    { name: '#Trace (95 %)', path: 'trace.estimate', definition: 'trace of the covariance, with its interval' },
    { name: '#Full pass', path: 'trace.full', definition: 'the same of the full pass, where one was done' },
    { name: '#Norm (95 %)', path: 'norm.estimate', definition: 'mean Euclidean norm, with its interval' },
    { name: '#Full pass', path: 'norm.full', definition: 'the same of the full pass, where one was done' },
    {
      name: '#Outliers',
      path: 'outliers.rows',
      definition: 'rows whose norm lies beyond quartiles ± 3 interquartile ranges',
    },
  ],
  sites.map(({ name, mean, trace, norm, outliers }) => [
    `<code>${escapeHtml(name)}</code>`,
    known(mean.distance),
    short(mean.error),
    ...interval(trace),
    ...interval(norm),
    short(outliers.rows),
  ]),
  ofSites,
)}`
}
