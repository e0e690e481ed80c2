/**
 * Takes chosen files out of a wheel, one at a time and as streams, so that a wheel of 800 MB of libraries needs no memory.
 */
import { createHash } from 'node:crypto'
import { closeSync, createReadStream, createWriteStream, fstatSync, openSync, readSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { PassThrough, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createInflateRaw, inflateRawSync } from 'node:zlib'
import { UserError } from '../../core/errors.ts'
import { writeError } from '../../core/files.ts'
import { dataStart, type ZipEntry, type ZipSource, zipEntries } from '../../core/zip.ts'

/** The files of an archive, by its directory at the end. A file that is no whole zip archive is a `UserError`. */
export function readZip(path: string): ZipEntry[] {
  return withSource(path, zipEntries)
}

/** One entry's bytes, in memory. */
export function readEntry(path: string, entry: ZipEntry): Uint8Array {
  return withSource(path, source => {
    const packed = source.read(dataStart(source, entry), entry.packed)
    return entry.method === 8 ? inflateRawSync(packed, { maxOutputLength: Math.max(1, entry.size) }) : packed
  })
}

/**
 * Unpacks one entry to `target`, which is whole or absent, and gives its sha256; one that is not `expected` is a
 * `UserError`. `onBytes` is told of each piece written.
 */
export async function extract(
  path: string,
  entry: ZipEntry,
  target: string,
  onBytes: (count: number) => void = () => {},
  expected?: string,
): Promise<string> {
  const start = withSource(path, source => dataStart(source, entry))
  const temporary = `${target}.partial`
  const hash = createHash('sha256')
  let written = 0
  const count = new Transform({
    transform(chunk: Buffer, _, done) {
      written += chunk.length
      hash.update(chunk)
      onBytes(chunk.length)
      done(written > entry.size ? new Error(`${entry.name} is longer than its ${entry.size} bytes`) : null, chunk)
    },
  })
  await mkdir(dirname(target), { recursive: true })
  try {
    await pipeline(
      entry.packed === 0
        ? []
        : createReadStream(path, { start, end: start + entry.packed - 1, highWaterMark: 1 << 20 }),
      entry.method === 8 ? createInflateRaw({ chunkSize: 1 << 20 }) : new PassThrough(),
      count,
      createWriteStream(temporary, { flush: true } as Parameters<typeof createWriteStream>[1]),
    )
    if (written !== entry.size)
      throw new UserError(
        `${path} is not a whole zip archive: ${entry.name} has ${written} bytes instead of ${entry.size}.`,
        { fix: 'Fetch it again.' },
      )
    const sha256 = hash.digest('hex')
    if (expected !== undefined && sha256 !== expected)
      throw new UserError(
        `${path} is damaged: the sha256 of ${entry.name} is ${sha256}, but its RECORD says ${expected}.`,
        {
          fix: 'Fetch it again.',
        },
      )
    await rename(temporary, target)
    return sha256
  } catch (error) {
    await rm(temporary, { force: true })
    throw writeError(target, error)
  }
}

/** Opens a file as an archive for as long as `use` works. */
function withSource<T>(path: string, use: (source: ZipSource) => T): T {
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    return use({
      path,
      size,
      read(start, length) {
        const bytes = Buffer.alloc(length)
        let done = 0
        for (let read = 1; done < length && read > 0; done += read)
          read = readSync(file, bytes, done, length - done, start + done)
        if (done < length) throw new UserError(`${path} ended while it was read.`)
        return bytes
      },
    })
  } finally {
    closeSync(file)
  }
}
