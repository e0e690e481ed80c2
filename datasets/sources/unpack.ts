/** Bytes of a file as they come, unpacked where its name says that it is packed. */
import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import { codeOf, messageOf, UserError } from '../../core/errors.ts'
import { readError } from '../../core/files.ts'
import { DictionaryError, unzstandard, WindowError } from './zstandard.ts'

/** How a file is packed, by its ending. */
export function packingOf(path: string): 'plain' | 'gzip' | 'zstandard' {
  return /\.gz$/i.test(path) ? 'gzip' : /\.zst$/i.test(path) ? 'zstandard' : 'plain'
}

/** Bytes that are read at a time. */
const pieceBytes = 1 << 20

/** The unpacked bytes of a file, piece by piece. Throws a `UserError` where it cannot be read or is damaged. */
export async function* unpacked(path: string): AsyncGenerator<Uint8Array> {
  const packing = packingOf(path)
  const packed = createReadStream(path, { highWaterMark: pieceBytes }) as AsyncIterable<Buffer>
  try {
    if (packing === 'plain') yield* packed
    else if (packing === 'gzip') yield* gunzipped(packed)
    else yield* unzstandard(packed)
  } catch (error) {
    if (packing === 'plain' || codeOf(error)?.startsWith('E')) throw readError(path, 'dataset', error)
    throw new UserError(`${path} cannot be unpacked as ${packing}: ${messageOf(error)}.`, {
      fix: fixOf(error),
      cause: error,
    })
  }
}

function fixOf(error: unknown): string {
  if (error instanceof DictionaryError) return 'Pack it again without one.'
  if (error instanceof WindowError) return 'Pack it again with --long=27, or without --long.'
  return 'Fetch or pack the file again.'
}

async function* gunzipped(packed: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip()
  const feeding = (async () => {
    try {
      for await (const piece of packed)
        if (!gunzip.write(piece))
          await new Promise<void>(resolve => gunzip.once('drain', resolve).once('close', resolve))
      gunzip.end()
    } catch (error) {
      gunzip.destroy(error as Error)
    }
  })()
  try {
    yield* gunzip as AsyncIterable<Buffer>
  } finally {
    gunzip.destroy()
    await feeding
  }
}
