/** A chart on a page: title, drawing, key, and the same data as a table. */
import { escapeHtml, shown } from '../html.ts'
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
  return `<figure class="chart" data-name="${title}"><figcaption>${title}</figcaption>${key ? `<div class="legend">${key}</div>` : ''}<div class="drawing${chart.isInteractive ? ' wide' : ''}"${chart.isInteractive ? ` tabindex="0" role="region" aria-label="${title}"` : ''}>${svgOf(chart, data, text.size)}</div>${text.note ? `<p class="soft">${shown(text.note, 400)}</p>` : ''}<details class="twin"><summary>As a table</summary>${twinHtml(chart.table(data), text.title)}</details></figure>`
}

/** Rows of a figure's table that a page holds at most; more are counted. */
const mostRows = 500

/** The table of a figure; exact values stand in `data-value`. */
export function twinHtml({ columns, rows }: Twin, caption: string): string {
  const heads = columns.map(column =>
    column.startsWith('#')
      ? `<th scope="col" class="number">${escapeHtml(column.slice(1))}</th>`
      : `<th scope="col">${escapeHtml(column)}</th>`,
  )
  const cell = (value: Cell, i: number) =>
    value === null
      ? `<td class="${columns[i]!.startsWith('#') ? 'number ' : ''}missing" data-value="">missing</td>`
      : typeof value === 'number'
        ? `<td class="number" data-value="${value}">${short(value)}</td>`
        : `<td data-value="${shown(value, 200)}">${shown(value, 200)}</td>`
  const body = rows.slice(0, mostRows).map(row => `<tr>${row.map(cell).join('')}</tr>`)
  const more = rows.length - mostRows
  return `<div class="scroll" tabindex="0" role="region" aria-label="Table: ${shown(caption, 200)}"><table><thead><tr>${heads.join('')}</tr></thead><tbody>${body.join('')}</tbody></table></div>${more > 0 ? `<p class="soft">${more} more rows are in the API.</p>` : ''}`
}
