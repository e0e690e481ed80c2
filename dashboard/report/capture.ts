/** The data part of the report: what was sampled from what, by stratum. */
import type { CaptureManifest } from '../../datasets/shards/manifest.ts'
import { short } from '../charts/scale.ts'
import { escapeHtml, shown } from '../html.ts'
import { table } from './page.ts'

/** Strata shown; the rest are counted. */
const mostStrata = 40

/** Rows, sites and the strata's population and sample. */
export function captureHtml(manifest: CaptureManifest): string {
  const { sampling, sites, dataset } = manifest
  const strata = [...sampling.strata].sort((a, b) => b.population - a.population || a.index - b.index)
  const name = (values: Readonly<Record<string, string>>) =>
    Object.entries(values)
      .map(([field, value]) => `${field} ${value}`)
      .join(', ') || 'all tokens'
  const rows = strata
    .slice(0, mostStrata)
    .map(({ values, population, sample, probability }) => [
      shown(name(values)),
      short(population),
      short(sample),
      short(probability),
    ])
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
${table(['Stratum', '#Population', '#Sample', '#Probability'], rows)}${more}`
}
