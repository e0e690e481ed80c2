/** Text within HTML. Nothing that comes from outside reaches a page but through here. */
import { clip, visible } from '../core/visible.ts'

/** Characters of a name or text of data that a page shows at most. */
const most = 120

/** Text made safe for HTML and for attribute values; control and bidirectional characters are written out. */
export function escapeHtml(text: string): string {
  return visible(text).replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}

/** The same for text whose length nobody vouches for: a longer one is cut, and its length said. */
export function shown(text: string, length = most): string {
  return escapeHtml(clip(text, length))
}

/** A path, site or name as `shown`, broken into lines behind its dots, dashes and strokes rather than anywhere. */
export function broken(text: string, length = most): string {
  return shown(text, length).replace(/[./_-](?=[^./_\-\s])/g, '$&<wbr>')
}

/** A line for a shell as `shown`, broken between its words: a flag's dashes stay with its name. */
export const commandText = (text: string, length: number): string =>
  shown(text, length).replace(/(?<=^| )-[\w.-]{1,40}(?= |$)/g, '<span class="whole">$&</span>')

/** A value that a page's script finds by an id, as a block of data that no browser runs; `<` is written so that nothing in it ends it. */
export function dataOf(id: string, value: unknown): string {
  return `<script type="application/json" id="${escapeHtml(id)}">${JSON.stringify(value).replaceAll('<', '\\u003c')}</script>`
}
