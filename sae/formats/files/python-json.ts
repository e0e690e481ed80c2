/**
 * JSON as Python writes it: with NaN, Infinity and −Infinity, which JSON does not know, and perhaps a byte order mark.
 * Such a number says nothing that could be used, so it is read as null.
 */

const words = ['NaN', 'Infinity', '-Infinity']

/** The value of a text. Throws a `SyntaxError` where it is no JSON in this sense either. */
export function parsePythonJson(text: string): unknown {
  const plain = text.startsWith('\ufeff') ? text.slice(1) : text
  try {
    return JSON.parse(plain)
  } catch (error) {
    const mended = withNulls(plain)
    if (mended === plain) throw error
    return JSON.parse(mended)
  }
}

/** The text with null for each of the words that stands outside of strings; one pass, whatever the text. */
function withNulls(text: string): string {
  const pieces: string[] = []
  let kept = 0
  let inString = false
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (inString && character === '\\') at++
    else if (character === '"') inString = !inString
    else if (!inString) {
      const word = words.find(word => text.startsWith(word, at))
      if (!word) continue
      pieces.push(text.slice(kept, at), 'null')
      at += word.length - 1
      kept = at + 1
    }
  }
  return kept === 0 ? text : pieces.join('') + text.slice(kept)
}
