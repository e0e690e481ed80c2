/** Text within HTML. */

/** Text made safe for HTML and for attribute values. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}
