/** Text from outside made fit to be shown: what would steer a terminal, a page or a table is written out. */

/** Control characters, and formatting ones but for the two joiners that scripts and emoji need. */
const unseen = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\uFFFE\uFFFF]|(?![\u200C\u200D])\p{Cf}/gu

/**
 * Writes out every character that one cannot see but that changes what is seen: control bytes, marks that turn the
 * direction of writing, zero-width ones, line separators, halves of surrogate pairs. U+202E becomes `\u202e`, a line break
 * `\n`.
 */
export function visible(text: string): string {
  return text.replace(unseen, written)
}

/** The same where line breaks and tabs are wanted, as on a terminal. */
export function visibleLines(text: string): string {
  return text.replace(unseen, character => (character === '\n' || character === '\t' ? character : written(character)))
}

/** At most `most` characters of a text; a longer one ends in its length. */
export function clip(text: string, most: number): string {
  if (text.length <= most) return text
  // A cut through a surrogate pair would leave half a character.
  const end = /[\uD800-\uDBFF]/.test(text[most - 1]!) ? most - 1 : most
  return `${text.slice(0, end)}… (${text.length.toLocaleString('en-US')} characters)`
}

/** JSON with the characters of `visible` as escapes, which mean the same to whoever parses it. */
export function visibleJson(value: unknown, indent?: number): string {
  const escaped = (character: string) =>
    character === '\n'
      ? character
      : Array.from({ length: character.length }, (_, i) => `\\u${hex(character.charCodeAt(i))}`).join('')
  return JSON.stringify(value, null, indent).replace(unseen, escaped)
}

const short: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function written(character: string): string {
  const point = character.codePointAt(0)!
  return short[character] ?? (point > 0xffff ? `\\u{${point.toString(16)}}` : `\\u${hex(point)}`)
}

const hex = (code: number) => code.toString(16).padStart(4, '0')
