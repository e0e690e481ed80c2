/** The lines of a file, one after the other, whatever its size. */
import { unpacked } from './unpack.ts'

/** Bytes of each line, without its `\n`. Throws a `UserError` where the file cannot be read. */
export async function* linesOf(path: string): AsyncGenerator<Uint8Array> {
  let begun: Uint8Array[] = []
  for await (const chunk of unpacked(path)) {
    let start = 0
    for (let newline = chunk.indexOf(10); newline >= 0; newline = chunk.indexOf(10, start)) {
      const end = chunk.subarray(start, newline)
      yield begun.length === 0 ? end : Buffer.concat([...begun, end])
      begun = []
      start = newline + 1
    }
    if (start < chunk.length) begun.push(chunk.subarray(start))
  }
  if (begun.length > 0) yield Buffer.concat(begun)
}
