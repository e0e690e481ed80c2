/** Documents of a plain text file: the whole of it, or the pieces between separators. */
import { UserError } from '../../core/errors.ts'
import type { Document } from '../document.ts'

/** Bytes as text; throws a `UserError` where they are not UTF-8. A byte order mark is dropped. */
export function decodeUtf8(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw new UserError(`The text ${path} is not UTF-8.`, { fix: 'Convert it to UTF-8.', cause: error })
  }
}

/**
 * Documents named `name` (one a file) or `name-0`, `name-1` … (with a separator, white space around each dropped and
 * empty pieces skipped).
 */
export function textDocuments(
  text: string,
  name: string,
  { separator, strata = {} }: { separator?: string | undefined; strata?: Readonly<Record<string, string>> },
): Document[] {
  if (separator === undefined) return text.trim() === '' ? [] : [{ id: name, text, strata }]
  const pieces = text.split(separator === 'blank-line' ? /\r?\n(?:[ \t]*\r?\n)+/ : separator)
  return pieces
    .map(piece => piece.trim())
    .filter(piece => piece !== '')
    .map((piece, i) => ({ id: `${name}-${i}`, text: piece, strata }))
}
