/** The lines of a file, one after the other, whatever its size: only one of them is held. */
import { constants } from 'node:buffer'
import { unpacked } from './unpack.ts'

/** Bytes of the longest line that is held; no text has more characters. */
const longestLine = constants.MAX_STRING_LENGTH

/**
 * Bytes of each line, without its `\n`; undefined for a line that is longer than any text, which is passed over. Throws a
 * `UserError` where the file cannot be read.
 */
export async function* linesOf(path: string, longest = longestLine): AsyncGenerator<Uint8Array | undefined> {
  let begun: Uint8Array[] = []
  let length = 0
  const end = (bytes: Uint8Array) => {
    const line =
      length + bytes.length > longest ? undefined : begun.length === 0 ? bytes : Buffer.concat([...begun, bytes])
    begun = []
    length = 0
    return line
  }
  for await (const chunk of unpacked(path)) {
    let start = 0
    for (let newline = chunk.indexOf(10); newline >= 0; newline = chunk.indexOf(10, start)) {
      yield end(chunk.subarray(start, newline))
      start = newline + 1
    }
    const rest = chunk.subarray(start)
    length += rest.length
    if (length > longest) begun = []
    else if (rest.length > 0) begun.push(rest)
  }
  if (length > 0) yield end(new Uint8Array())
}
