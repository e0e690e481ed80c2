/** Reading many places of files at once, while the program goes on. */
import { read } from 'node:fs'
import { promisify } from 'node:util'
import { plainHalvesToFloats } from './halves.ts'
import { hostFunction } from './native.ts'

const readLater = promisify(read)

/** Places of open files, in order. */
export interface Segments {
  /** Descriptors. */
  readonly files: Uint32Array
  /** Bytes from the file's beginning. */
  readonly places: Float64Array
  readonly bytes: Uint32Array
}

/** How numbers are stored in a file. */
export type StoredNumbers = 'float32' | 'float16'

/** The meaning of `readSegments`. */
export async function plainReadSegments(
  { files, places, bytes }: Segments,
  to: Float32Array,
  stored: StoredNumbers = 'float32',
): Promise<number> {
  const into = stored === 'float16' ? new Uint16Array(to.length) : to
  const room = new Uint8Array(into.buffer, into.byteOffset, into.byteLength)
  let at = 0
  for (let i = 0; i < files.length; i++) {
    for (let done = 0; done < bytes[i]!; ) {
      const { bytesRead } = await readLater(files[i]!, room, at + done, bytes[i]! - done, places[i]! + done)
      if (bytesRead === 0) return i
      done += bytesRead
    }
    at += bytes[i]!
  }
  if (into instanceof Uint16Array) plainHalvesToFloats(into, to)
  return -1
}

/**
 * Fills `to` with the numbers of the segments, one after the other; it must not be looked at before, nor may the files be closed. Gives
 * -1, or the number of the first segment that its file does not hold whole. Throws what the system says of a read that failed.
 */
export function readSegments(segments: Segments, to: Float32Array, stored: StoredNumbers = 'float32'): Promise<number> {
  const native = hostFunction('readSegments')
  if (!native) return plainReadSegments(segments, to, stored)
  const { files, places, bytes } = segments
  return native(files, places, bytes, to, stored === 'float16' ? 1 : 0) as Promise<number>
}
