/** One comparison of two runs: its verdict, which cells drifted, and how far each is from what chance gives. */
import type { Gate } from '../../core/gate.ts'
import { cellName, type Drift, type DriftCell, leastAdjusted, unlikelyFirst } from '../../runs/drift.ts'
import { chances, figureOf, short } from '../charts/index.ts'
import { escapeHtml, shown } from '../html.ts'
import type { FigureOrigin } from '../origin.ts'
import { leftOut, page, pill, table } from './page.ts'

/** Rows of the table and bars of the drawing at most; the rest are counted. */
const mostRows = 400
const mostBars = 40

const plural = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`
const known = (value: number | null) => (value === null ? '–' : short(value))
const definitionOfP =
  'probability that a relabelling of the documents reaches as far anywhere in the family (max-T); – where it is not tested'

/** What of a comparison is shown; `cells` may be the first of `total`. */
export type ShownDrift = Omit<Drift, 'schema' | 'a' | 'b'> & { readonly total: number }

/** The comparison as HTML. `run` is the drift run whose file the numbers are from; without one they lead nowhere. */
export function driftHtml(drift: ShownDrift, run?: string): string {
  const { cells, tested, alpha, composition, definitions } = drift
  const rows = cells
    .flatMap(cell => cell.measures.map((measure, place) => ({ cell, measure, place })))
    .slice(0, mostRows)
  const of = (cellOf: (row: number) => DriftCell): FigureOrigin => ({
    ...{ run: run ?? '', file: 'drift.json' },
    n: row => `${cellOf(row).documents.join(' and ')} documents`,
    where: row => placeOf(cellOf(row)),
  })
  const origin = of(row => rows[row]!.cell)
  const path = (key: string) => (row: number) => `measures[${rows[row]!.place}].${key}`
  const about = Object.entries(definitions)
    .map(([name, text]) => `${name}: ${text}`)
    .join('; ')
  const bars = cells.slice(0, mostBars)
  const sites = [...new Set(bars.map(({ site }) => site))]
  // What all bars share is said once: names that fit are read whole.
  const barName = (cell: DriftCell) =>
    sites.length > 1 ? cellName(cell) : cellName({ ...cell, site: 'all' }).replace(/^all, /, '')
  const plot = figureOf(
    chances,
    { alpha, rows: bars.map(cell => ({ name: barName(cell), p: leastAdjusted(cell), found: cell.drifted })) },
    {
      title: `How unlikely by chance${sites.length === 1 ? `, at ${sites[0]}` : ''}`,
      note: 'Of the measures of a cell the least likely one; the longer, the less likely.',
      ...(run === undefined
        ? {}
        : { origin: { ...of(row => bars[row]!), columns: { 'p of the family': { definition: definitionOfP } } } }),
    },
  )
  const lines = rows.map(({ cell, measure }) => [
    `${shown(cellName(cell))}${cell.drifted ? ' <b>drifted</b>' : ''}`,
    escapeHtml(measure.name),
    known(measure.value),
    known(measure.expected),
    known(measure.p),
    known(measure.adjusted),
    cell.documents.map(String).join(' / '),
    cell.means.map(known).join(' / '),
  ])
  const columns = [
    'Cell',
    'Measure',
    { name: '#Value', definition: about, path: path('value') },
    { name: '#By chance', definition: 'mean of the value where nothing differs', path: path('expected') },
    { name: '#p', definition: 'share of relabellings of the documents that reach as far', path: path('p') },
    { name: '#p of the family', definition: definitionOfP, path: path('adjusted') },
    { name: '#Documents', definition: 'documents of each run in the cell', path: 'documents' },
    { name: '#Means', definition: 'mean in each run', path: 'means' },
  ]
  const notes = [
    ...drift.notes,
    ...(composition === null ? [] : [`Stability index of the populations over strata: ${short(composition)}.`]),
    ...(drift.total > tested
      ? [`${plural(drift.total - tested, 'cell')} could not be tested: too few documents, or nothing varies.`]
      : []),
  ]
  const definitionRows = Object.entries(definitions).map(([name, text]) => [escapeHtml(name), shown(text, 500)])
  return `<p class="lead">${verdictOf(drift)} ${plural(drift.family.size, 'test')}; ${escapeHtml(drift.family.method)}, α ${short(alpha)}, ${drift.draws} labellings.</p>
<div class="charts">${plot}</div>${leftOut(drift.total - bars.length, 'cells are in the table or the file')}
<h2>Cells</h2>${table(columns, lines, run === undefined ? undefined : origin)}${drift.total > cells.length ? leftOut(drift.total - cells.length, 'cells are in the file') : ''}
<h2>Notes</h2>${notes.length > 0 ? `<ul>${notes.map(note => `<li>${escapeHtml(note)}</li>`).join('')}</ul>` : ''}
${table(['Measure', 'Definition'], definitionRows)}`
}

/** What came of it, in a sentence. */
export function verdictOf({ drifted, tested }: Pick<Drift, 'drifted' | 'tested'>): string {
  if (tested === 0) return 'Nothing could be tested: too few documents.'
  return drifted === 0 ? `No drift in ${plural(tested, 'cell')}.` : `Drift in ${drifted} of ${plural(tested, 'cell')}.`
}

/** Where a cell stands in the file, as jq finds it. */
const placeOf = ({ site, stratum, latent }: DriftCell): string =>
  `cells[] | select(.site==${JSON.stringify(site)} and .stratum==${JSON.stringify(stratum)} and .latent==${JSON.stringify(latent)})`

/** A page of one comparison and the gates that it was held to, whole in itself; cells that are least likely by chance first. */
export function driftPage(drift: Drift, gates: readonly Gate[] = []): string {
  const shownDrift = { ...drift, cells: unlikelyFirst(drift.cells), total: drift.cells.length }
  return page(`${drift.a.id} and ${drift.b.id}`, '', [
    {
      id: 'comparison',
      title: verdictOf(drift).replace(/\.$/, ''),
      html: `${gatesHtml(gates)}${driftHtml(shownDrift)}`,
    },
  ])
}

function gatesHtml(gates: readonly Gate[]): string {
  if (gates.length === 0) return ''
  return table(
    ['Gate', 'State', '#Value', '#At most'],
    gates.map(gate => [escapeHtml(gate.name), pill(gate.status), known(gate.value), short(gate.threshold)]),
  )
}
