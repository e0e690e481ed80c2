/** How unlikely rows are by chance: a bar a row, −log₁₀ of its p, with a line at α that bars of what was found cross. */
import { visible } from '../../core/visible.ts'
import { escapeHtml, shown } from '../html.ts'
import { axisHeight, xAxis } from './axes.ts'
import { at, type Chart, fitted, isNumber } from './chart.ts'
import { linearScale, short } from './scale.ts'

export interface ChancesData {
  readonly rows: readonly {
    readonly name: string
    /** Null where it was not tested. */
    readonly p: number | null
    /** Whether it counts as found. */
    readonly found: boolean
  }[]
  readonly alpha: number
}

const rowHeight = 30
const margin = 10
/** p below which bars are not longer. */
const least = 1e-12

const logOf = (p: number) => -Math.log10(Math.max(least, p))

export const chances: Chart<ChancesData> = {
  name: 'chances',
  size: ({ rows }) => ({ width: 460, height: rowHeight * rows.length + 2 * margin + axisHeight }),
  isEmpty: ({ rows }) => rows.length === 0,
  summary({ rows, alpha }) {
    const found = rows.filter(row => row.found)
    const first = found[0] ?? rows.find(({ p }) => isNumber(p))
    return `${found.length} of ${rows.length} rows have p of ${short(alpha)} or less${first ? `; ${first.name} has ${short(first.p)}` : ''}.`
  },
  draw({ rows, alpha }, { width, height }) {
    const bottom = height - axisHeight
    const logs = rows.flatMap(({ p }) => (isNumber(p) ? [logOf(p)] : []))
    const x = linearScale(0, Math.max(3, logOf(alpha), ...logs), margin, width - margin, 4)
    const line = at(x.place(logOf(alpha)))
    const marks = rows.map(({ name, p, found }, i) => {
      const top = margin + rowHeight * i
      const said = `${isNumber(p) ? `p ${short(p)}` : 'not tested'}${found ? ' · drifted' : ''}`
      const text = fitted(visible(name), width - 2 * margin - 6.8 * said.length)
      const bar = isNumber(p)
        ? `<rect class="bar${found ? ' found' : ''}" x="${margin}" y="${top + 16}" width="${at(Math.max(1, x.place(logOf(p)) - margin))}" height="9" rx="2"/>`
        : ''
      const atAlpha = `<line class="zero" x1="${line}" x2="${line}" y1="${top + 14}" y2="${top + 27}"/>`
      return `<g data-row="${i}"><text class="label" x="${margin}" y="${top + 12}">${escapeHtml(text)}<title>${shown(`${name}: ${said}`, 300)}</title></text><text class="${found ? 'label' : 'soft'}" x="${width - margin}" y="${top + 12}" text-anchor="end">${said}</text>${bar}${atAlpha}</g>`
    })
    const frame = { left: margin, right: width - margin, top: margin, bottom }
    return `${marks.join('')}${xAxis(x, frame, `−log₁₀ p of the family; dashed: α ${short(alpha)}`)}`
  },
  table: ({ rows }) => ({
    columns: ['Row', '#p of the family', 'Drifted'],
    rows: rows.map(({ name, p, found }) => [name, p, isNumber(p) ? (found ? 'yes' : 'no') : 'not tested']),
  }),
}
