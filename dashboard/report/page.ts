/** The report's page: one self-contained HTML text, light and dark, readable on a phone and on paper. */
import { escapeHtml, shown } from '../html.ts'
import {
  type ColumnOrigin,
  type Origin,
  originOf,
  originOfCell,
  originOfColumn,
  originOfRow,
  valued,
} from '../origin.ts'
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

/** A column by its name, or with the definition of its values and where in a row's record they stand. */
export type Column = string | ({ readonly name: string } & ColumnOrigin)

/** Rows up to which a table stands as a whole; longer ones scroll by themselves, so that what follows them is found. */
const mostInSight = 60

/**
 * A table; cells are HTML already. Columns whose name starts with `#` are numbers (right-aligned). On a narrow screen a table
 * of more than three columns becomes a block a row, each value beside its column's name.
 */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], origin?: Origin): string {
  const given = columns.map((column): { readonly name: string } & ColumnOrigin =>
    typeof column === 'string' ? { name: column } : column,
  )
  const names = given.map(({ name }) => escapeHtml(name.replace(/^#/, '')))
  const kinds = given.map(({ name }) => (name.startsWith('#') ? ' class="number"' : ''))
  const head = given.map((column, i) =>
    names[i] === '' ? `<td${kinds[i]}></td>` : `<th scope="col"${kinds[i]}${originOfColumn(column)}>${names[i]}</th>`,
  )
  const body = rows.map((row, r) => {
    const cells = row.map(
      (cell, i) => `<td${kinds[i]} data-name="${names[i]}"${originOfCell(given[i]!, r)}><span>${cell}</span></td>`,
    )
    return `<tr${origin ? originOfRow(origin, r) : ''}>${cells.join('')}</tr>`
  })
  const form = columns.length > 3 ? ' class="blocks"' : ''
  const about = names.filter(Boolean).join(', ')
  const long = rows.length > mostInSight ? ' long' : ''
  return `<div class="scroll${long}" tabindex="0" role="region" aria-label="Table: ${about}"><table${form}${origin ? originOf(origin) : ''} data-rows=""><thead><tr>${head.join('')}</tr></thead><tbody>${body.join('')}</tbody></table></div>`
}

/** A large figure; where its number is known to stand, pages let one press it. */
export interface Tile extends ColumnOrigin {
  readonly name: string
  readonly value: string
  readonly note?: string
}

/** Large figures side by side. */
export function tiles(figures: readonly Tile[]): string {
  const parts = figures.map(
    ({ name, value, note, ...origin }) =>
      `<div class="tile"><b>${origin.path || origin.definition ? valued(escapeHtml(value), name, origin) : escapeHtml(value)}</b><span>${escapeHtml(name)}</span>${note ? `<small>${escapeHtml(note)}</small>` : ''}</div>`,
  )
  return `<div class="tiles">${parts.join('')}</div>`
}

/** A verdict in its colour. */
export const pill = (verdict: string): string =>
  `<span class="pill ${escapeHtml(verdict)}"><i aria-hidden="true">${signs[verdict] ?? '○'}</i> ${escapeHtml(verdict)}</span>`

const signs: Readonly<Record<string, string>> = { pass: '●', fail: '✕', inconclusive: '◆', 'not-run': '○', failed: '✕' }

/** Says what a list leaves out, or nothing. */
export const leftOut = (count: number, what: string): string =>
  count > 0 ? `<p class="soft">${count.toLocaleString('en-US')} more ${what}.</p>` : ''
