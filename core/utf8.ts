/** Text that must be UTF-8: of bytes that are none, Node makes other characters without a word. */
import { codeOf, UserError } from './errors.ts'

/** Whether something failed because Node holds no text or file of that size. */
export function isTooLong(error: unknown): boolean {
  return ['ERR_STRING_TOO_LONG', 'ERR_FS_FILE_TOO_LARGE', 'ERR_OUT_OF_RANGE'].includes(codeOf(error) ?? '')
}

/** Whether a decoder met bytes that are no text. */
export function isNotUtf8(error: unknown): boolean {
  return codeOf(error) === 'ERR_ENCODING_INVALID_ENCODED_DATA'
}

/** The text of a file's bytes, without a byte order mark. Throws a `UserError` where they are not UTF-8; `what` is what the file is called. */
export function decodeUtf8(bytes: Uint8Array, path: string, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    if (!isNotUtf8(error)) throw error
    throw new UserError(`The ${what} ${path} is not UTF-8.`, { fix: 'Convert it to UTF-8.', cause: error })
  }
}
