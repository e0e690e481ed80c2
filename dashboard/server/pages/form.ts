/** Fields of a page's forms. A form asks for another address of the same page, so that every state is one. HTML. */
import { escapeHtml, shown } from '../../html.ts'

/** A choice; the first entry may be empty for none. */
export function select(
  name: string,
  label: string,
  options: readonly (readonly [string, string])[],
  chosen: string,
): string {
  const entries = options.map(
    ([value, text]) =>
      `<option value="${escapeHtml(value)}"${value === chosen ? ' selected' : ''}>${shown(text, 100)}</option>`,
  )
  return `<label>${shown(label)} <select name="${escapeHtml(name)}">${entries.join('')}</select></label>`
}

/** A text. */
export const field = (name: string, label: string, value: string, placeholder = '', isSearch = false): string =>
  `<label${isSearch ? ' class="wide"' : ''}>${shown(label)} <input name="${escapeHtml(name)}" value="${escapeHtml(value)}" placeholder="${escapeHtml(placeholder)}"${isSearch ? ' type="search" data-search=""' : ''}></label>`

/** The form around fields. */
export const form = (fields: readonly string[], button = 'Show'): string =>
  `<form method="get" class="filters"><div class="fields">${fields.join('')}<button>${shown(button)}</button></div></form>`
