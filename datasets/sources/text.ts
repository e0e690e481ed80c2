/** Documents of a plain text file: the whole of it, or the pieces between separators. */
import { constants } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import { codeOf, UserError } from '../../core/errors.ts'
import { readError } from '../../core/files.ts'
import type { Document } from '../document.ts'
import { packingOf, unpacked } from './unpack.ts'

/** The text of a file. Throws a `UserError` where it is not UTF-8 or too long to be held. A byte order mark is dropped. */
export async function readText(path: string): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await bytesOf(path))
  } catch (error) {
    if (isTooLong(error))
      throw new UserError(
        `The text ${path} is too long: at most ${constants.MAX_STRING_LENGTH.toLocaleString('en')} characters are read at once.`,
        { fix: 'Cut it into several files, or into a JSONL file with a document a line, which may be of any size.' },
      )
    if (isNotUtf8(error))
      throw new UserError(`The text ${path} is not UTF-8.`, { fix: 'Convert it to UTF-8.', cause: error })
    if (error instanceof UserError) throw error
    throw readError(path, 'dataset', error)
  }
}

/** The whole of a file, unpacked. */
async function bytesOf(path: string): Promise<Uint8Array> {
  if (packingOf(path) === 'plain') return readFile(path)
  const pieces: Uint8Array[] = []
  for await (const piece of unpacked(path)) pieces.push(piece)
  return Buffer.concat(pieces)
}

/** Whether something failed because Node holds no text or file of that size. */
export function isTooLong(error: unknown): boolean {
  return ['ERR_STRING_TOO_LONG', 'ERR_FS_FILE_TOO_LARGE', 'ERR_OUT_OF_RANGE'].includes(codeOf(error) ?? '')
}

/** Whether a decoder met bytes that are no text. */
export function isNotUtf8(error: unknown): boolean {
  return codeOf(error) === 'ERR_ENCODING_INVALID_ENCODED_DATA'
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
