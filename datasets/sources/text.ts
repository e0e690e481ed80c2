/** Documents of a plain text file: the whole of it, or the pieces between separators, one held at a time. */
import { constants } from 'node:buffer'
import { UserError } from '../../core/errors.ts'
import { isNotUtf8 } from '../../core/utf8.ts'
import type { Document } from '../document.ts'
import { unpacked } from './unpack.ts'

/**
 * Documents named `name` (one a file) or `name-0`, `name-1` … (with a separator, white space around each dropped and
 * empty pieces skipped). A byte order mark is dropped. Throws a `UserError` where the file cannot be read, is not UTF-8, or
 * has a document that is too long to be held.
 */
export async function* textDocuments(
  path: string,
  name: string,
  { separator, strata = {} }: { separator?: string | undefined; strata?: Readonly<Record<string, string>> },
): AsyncGenerator<Document> {
  const pieces = piecesOf(path)
  if (separator === undefined) {
    const whole = new Joined(path)
    for await (const text of pieces) whole.add(text)
    const text = whole.take()
    if (text.trim() !== '') yield { id: name, text, strata }
    return
  }
  let count = 0
  const between = separator === 'blank-line' ? betweenBlankLines(path, pieces) : betweenMarks(path, pieces, separator)
  for await (const piece of between) {
    const text = piece.trim()
    if (text !== '') yield { id: `${name}-${count++}`, text, strata }
  }
}

/** The text of a file as it comes. */
async function* piecesOf(path: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let isBegun = false
  try {
    for await (const bytes of unpacked(path)) {
      if (!isBegun && isWide(bytes))
        throw new UserError(`The text ${path} is UTF-16, not UTF-8: every other byte is 0.`, {
          fix: 'Convert it to UTF-8.',
        })
      isBegun = true
      yield decoder.decode(bytes, { stream: true })
    }
    yield decoder.decode()
  } catch (error) {
    if (!isNotUtf8(error)) throw error
    throw new UserError(`The text ${path} is not UTF-8.`, { fix: 'Convert it to UTF-8.', cause: error })
  }
}

/** Bytes at the beginning by which UTF-16 is known. */
const lookedAt = 4096

/**
 * Whether a text begins as UTF-16 of mostly Latin letters, which is UTF-8 as well, of letters with NUL between them. With a
 * byte order mark, or of other letters, it is not.
 */
function isWide(bytes: Uint8Array): boolean {
  const begun = bytes.subarray(0, lookedAt)
  const pairs = Math.floor(begun.length / 2)
  const zeros = [0, 0]
  for (let i = 0; i < 2 * pairs; i++) if (begun[i] === 0) zeros[i % 2]!++
  return pairs >= 8 && Math.max(...zeros) > 0.6 * pairs && Math.min(...zeros) < 0.1 * pairs
}

/** Pieces of one document, joined once it is whole. */
class Joined {
  private parts: string[] = []
  private length = 0
  private readonly path: string

  constructor(path: string) {
    this.path = path
  }

  /** Throws a `UserError` where the document becomes longer than a text may be. */
  add(part: string): void {
    this.parts.push(part)
    this.length += part.length
    if (this.length <= constants.MAX_STRING_LENGTH) return
    throw new UserError(
      `The text ${this.path} has a document that is too long: at most ${constants.MAX_STRING_LENGTH.toLocaleString('en')} characters are read at once.`,
      { fix: 'Set dataset.separator, cut it into several files, or into a JSONL file with a document a line.' },
    )
  }

  take(): string {
    const text = this.parts.join('')
    this.parts = []
    this.length = 0
    return text
  }
}

async function* betweenMarks(path: string, pieces: AsyncIterable<string>, mark: string): AsyncGenerator<string> {
  const begun = new Joined(path)
  // What may be the beginning of a mark waits for more.
  let waiting = ''
  for await (const piece of pieces) {
    const text = waiting + piece
    let from = 0
    for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, from)) {
      begun.add(text.slice(from, at))
      yield begun.take()
      from = at + mark.length
    }
    const end = Math.max(from, text.length - mark.length + 1)
    begun.add(text.slice(from, end))
    waiting = text.slice(end)
  }
  begun.add(waiting)
  yield begun.take()
}

/** A blank line holds nothing but blanks and tabs; lines end in `\n` or `\r\n`. */
async function* betweenBlankLines(path: string, pieces: AsyncIterable<string>): AsyncGenerator<string> {
  const begun = new Joined(path)
  const line = new Joined(path)
  for await (const text of pieces) {
    let from = 0
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', from)) {
      line.add(text.slice(from, at))
      const whole = line.take()
      if (/^[ \t]*\r?$/.test(whole)) yield begun.take()
      else begun.add(`${whole}\n`)
      from = at + 1
    }
    line.add(text.slice(from))
  }
  begun.add(line.take())
  yield begun.take()
}
