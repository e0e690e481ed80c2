/** A page of one comparison of two runs: which cells drifted, and how far each is from what chance gives. */
import { cellName, type Drift, type DriftCell } from '../../runs/drift.ts'
import { short } from '../charts/scale.ts'
import { escapeHtml, shown } from '../html.ts'
import { page, table } from './page.ts'

/** Cells shown; the rest are counted. */
const mostCells = 200
const known = (value: number | null) => (value === null ? '–' : short(value))
/** The least p of the family that a cell came to; 1 where it was not tested. */
const least = ({ measures }: DriftCell) => Math.min(...measures.map(({ adjusted }) => adjusted ?? 1))

/** The page, whole in itself; cells that are least likely by chance first. */
export function driftPage(drift: Drift): string {
  const { a, b, cells, drifted, tested, alpha, notes, composition, family, definitions } = drift
  const sorted = [...cells].sort((x, y) => least(x) - least(y)).slice(0, mostCells)
  const verdict = drifted === 0 ? 'no drift' : `drift in ${drifted} of ${tested} cells`
  const rows = sorted.flatMap(cell =>
    cell.measures.map(({ name, value, expected, p, adjusted }) => [
      shown(cellName(cell)),
      escapeHtml(name),
      known(value),
      known(expected),
      known(p),
      known(adjusted),
      cell.documents.map(String).join(' / '),
      cell.means.map(known).join(' / '),
    ]),
  )
  const told = [
    ...notes,
    ...(composition === null ? [] : [`Stability index of the populations over strata: ${short(composition)}.`]),
    ...(cells.length > mostCells ? [`${cells.length - mostCells} more cells are in the results file.`] : []),
  ]
  return page(
    `${a.id} and ${b.id}: ${verdict}`,
    `<p>${tested} cells, ${family.size} tests; ${escapeHtml(family.method)}, α ${short(alpha)}, ${drift.draws} labellings.</p>`,
    [
      { id: 'plot', title: 'How unlikely by chance', html: plot(sorted, alpha) },
      {
        id: 'cells',
        title: 'Cells',
        html: table(
          ['Cell', 'Measure', '#Value', '#By chance', '#p', '#p of the family', '#Documents', '#Means'],
          rows,
        ),
      },
      {
        id: 'notes',
        title: 'Notes',
        html: `<ul>${told.map(note => `<li>${escapeHtml(note)}</li>`).join('')}</ul>${table(
          ['Measure', 'Definition'],
          Object.entries(definitions).map(([name, text]) => [escapeHtml(name), escapeHtml(text)]),
        )}`,
      },
    ],
  )
}

const rowHeight = 20
const [labelWidth, width] = [330, 720]

/** A bar a cell: −log₁₀ of its p of the family, with a line at α. */
function plot(cells: readonly DriftCell[], alpha: number): string {
  const logs = cells.map(cell => -Math.log10(least(cell)))
  const most = Math.max(3, -Math.log10(alpha), ...logs)
  const x = (log: number) => labelWidth + ((width - labelWidth - 10) * log) / most
  const height = cells.length * rowHeight + 24
  const bars = cells.map((cell, i) => {
    const y = 20 + i * rowHeight
    const title = `${cellName(cell)}: p ${short(least(cell))}`
    return `<g><title>${escapeHtml(title)}</title><text x="${labelWidth - 8}" y="${y + 12}" text-anchor="end" font-size="11" fill="currentColor">${shown(cellName(cell), 52)}</text><rect x="${labelWidth}" y="${y + 2}" width="${Math.max(1, x(logs[i]!) - labelWidth).toFixed(1)}" height="13" rx="2" fill="currentColor" fill-opacity="${cell.drifted ? 0.85 : 0.3}"/></g>`
  })
  const line = x(-Math.log10(alpha)).toFixed(1)
  return `<div class="scroll"><svg viewBox="0 0 ${width} ${height}" width="${width}" role="img" aria-label="p-values of the cells, smallest first">${bars.join('')}<line x1="${line}" x2="${line}" y1="16" y2="${height}" stroke="currentColor" stroke-dasharray="4 3"/><text x="${line}" y="12" text-anchor="middle" font-size="11" fill="currentColor">α ${short(alpha)}</text></svg></div>`
}
