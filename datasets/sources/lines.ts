/** The lines of a file, one after the other, whatever its size. */
import { createReadStream } from 'node:fs'
import { readError } from '../../core/files.ts'

/** Bytes of each line, without its `\n`. Throws a `UserError` where the file cannot be read. */
export async function* linesOf(path: string): AsyncGenerator<Uint8Array> {
  let begun: Uint8Array[] = []
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
      let start = 0
      for (let newline = chunk.indexOf(10); newline >= 0; newline = chunk.indexOf(10, start)) {
        const end = chunk.subarray(start, newline)
        yield begun.length === 0 ? end : Buffer.concat([...begun, end])
        begun = []
        start = newline + 1
      }
      if (start < chunk.length) begun.push(chunk.subarray(start))
    }
  } catch (error) {
    throw readError(path, 'dataset', error)
  }
  if (begun.length > 0) yield Buffer.concat(begun)
}
