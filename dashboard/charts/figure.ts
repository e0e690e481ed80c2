/** A chart on a page: title, drawing, key, and the same data as a table. */
import { escapeHtml, shown } from '../html.ts'
import { type FigureOrigin, originOf, originOfCell, originOfColumn, originOfRow } from '../origin.ts'
import { type Cell, type Chart, type Size, svgOf, type Twin } from './chart.ts'
import { short } from './scale.ts'

/** What stands around the drawing. */
export interface FigureText {
  readonly title: string
  /** Names of tones or marks. */
  readonly key?: readonly { readonly name: string; readonly mark: string }[]
  /** What is said where there is nothing to draw. HTML. */
  readonly nothing?: string
  readonly note?: string
  /** Where its numbers are from: those of its marks and those of its table, which are the same. */
  readonly origin?: FigureOrigin | undefined
  readonly size?: Size
}

/** The whole figure. Where there is nothing to draw it says so, and has no drawing. */
export function figureOf<Data>(chart: Chart<Data>, data: Data, text: FigureText): string {
  const title = shown(text.title, 200)
  if (chart.isEmpty(data))
    return `<figure class="chart"><figcaption>${title}</figcaption><p class="nothing">${text.nothing ?? 'Nothing was recorded.'}</p></figure>`
  const key = (text.key ?? [])
    .map(({ name, mark }) => `<span class="key"><i class="${escapeHtml(mark)}"></i>${escapeHtml(name)}</span>`)
    .join('')
  return `<figure class="chart" data-name="${title}"${text.origin ? originOf(text.origin) : ''}><figcaption>${title}</figcaption>${key ? `<div class="legend">${key}</div>` : ''}<div class="drawing${chart.isInteractive ? ' wide' : ''}" tabindex="0" role="${chart.isInteractive ? 'region' : 'group'}" aria-label="${title}">${svgOf(chart, data, text.size)}</div>${text.note ? `<p class="soft">${shown(text.note, 400)}</p>` : ''}<details class="twin"><summary>As a table</summary>${twinHtml(chart.table(data), text.title, text.origin)}</details></figure>`
}

/** Rows of a figure's table that a page holds at most; more are counted. */
const mostRows = 500

/** The table of a figure; exact values stand in `data-value`. */
function twinHtml({ columns, rows }: Twin, caption: string, origin?: FigureOrigin): string {
  const names = columns.map(column => column.replace(/^#/, ''))
  const kinds = columns.map(column => (column.startsWith('#') ? 'number' : ''))
  const about = names.map(name => origin?.columns?.[name] ?? {})
  const heads = names.map(
    (name, i) =>
      `<th scope="col"${kinds[i] && ` class="${kinds[i]}"`}${originOfColumn(about[i]!)}>${escapeHtml(name)}</th>`,
  )
  const cell = (value: Cell, i: number, row: number) =>
    value === null
      ? `<td class="${kinds[i]} missing" data-value="">missing</td>`
      : typeof value === 'number'
        ? `<td class="number" data-value="${value}"${originOfCell(about[i]!, row)}><span>${short(value)}</span></td>`
        : `<td data-value="${shown(value, 200)}">${shown(value, 200)}</td>`
  const body = rows
    .slice(0, mostRows)
    .map(
      (row, r) =>
        `<tr${origin ? originOfRow(origin, r) : ''}>${row.map((value, i) => cell(value, i, r)).join('')}</tr>`,
    )
  const more = rows.length - mostRows
  const from =
    typeof origin?.file === 'string' && typeof origin.run === 'string'
      ? `<p class="soft">From ${shown(origin.file)} of ${shown(origin.run)}${origin.split ? `, ${shown(origin.split)} split` : ''}.</p>`
      : ''
  return `<div class="scroll" tabindex="0" role="region" aria-label="Table: ${shown(caption, 200)}"><table><thead><tr>${heads.join('')}</tr></thead><tbody>${body.join('')}</tbody></table></div>${from}${more > 0 ? `<p class="soft">${more} more rows are in the API.</p>` : ''}`
}
