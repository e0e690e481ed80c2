/** The report's page: one self-contained HTML text, light and dark, readable on a phone and on paper. */
import { escapeHtml, shown } from '../html.ts'
import { style } from './style.ts'

/** A section of the page with an anchor. */
export interface Section {
  readonly id: string
  readonly title: string
  readonly html: string
}

/** The whole page. `lead` stands under the title; nothing is loaded from elsewhere. */
export function page(title: string, lead: string, sections: readonly Section[]): string {
  const links = sections.map(({ id, title }) => `<a href="#${id}">${escapeHtml(title)}</a>`).join('')
  const parts = sections.map(
    ({ id, title, html }) => `<section id="${id}"><h2>${escapeHtml(title)}</h2>${html}</section>`,
  )
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${shown(title)}</title>
<style>${style}</style>
</head>
<body>
<header><h1>${shown(title)}</h1>${lead}<nav>${links}</nav></header>
<main>
${parts.join('\n')}
</main>
</body>
</html>
`
}

/**
 * A table; cells are HTML already. Columns whose name starts with `#` are numbers (right-aligned). On a narrow screen a table
 * of more than three columns becomes a block a row, each value beside its column's name.
 */
export function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const names = columns.map(column => escapeHtml(column.replace(/^#/, '')))
  const kinds = columns.map(column => (column.startsWith('#') ? ' class="number"' : ''))
  const head = names.map((name, i) => `<th scope="col"${kinds[i]}>${name}</th>`)
  const body = rows.map(
    row =>
      `<tr>${row.map((cell, i) => `<td${kinds[i]} data-name="${names[i]}"><span>${cell}</span></td>`).join('')}</tr>`,
  )
  const form = columns.length > 3 ? ' class="blocks"' : ''
  return `<div class="scroll"><table${form}><thead><tr>${head.join('')}</tr></thead><tbody>${body.join('')}</tbody></table></div>`
}

/** Large figures side by side. */
export function tiles(figures: readonly { name: string; value: string; note?: string }[]): string {
  const parts = figures.map(
    ({ name, value, note }) =>
      `<div class="tile"><b>${escapeHtml(value)}</b><span>${escapeHtml(name)}</span>${note ? `<small>${escapeHtml(note)}</small>` : ''}</div>`,
  )
  return `<div class="tiles">${parts.join('')}</div>`
}

/** A verdict in its colour. */
export const pill = (verdict: string): string =>
  `<span class="pill ${escapeHtml(verdict)}">${escapeHtml(verdict)}</span>`

/** Says what a list leaves out, or nothing. */
export const leftOut = (count: number, what: string): string =>
  count > 0 ? `<p class="soft">${count.toLocaleString('en-US')} more ${what}.</p>` : ''
