/**
 * Reads chosen files out of a zip archive, one at a time and as streams, so that a wheel of 800 MB of libraries needs no
 * memory. Knows what wheels use: stored and deflated entries, sizes below 4 GB (no zip64).
 */
import { createReadStream, createWriteStream } from 'node:fs'
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { PassThrough, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createInflateRaw } from 'node:zlib'
import { UserError } from '../../core/errors.ts'
import { writeError } from '../../core/files.ts'

/** A file in the archive. */
export interface ZipEntry {
  readonly name: string
  readonly size: number
  readonly packed: number
  readonly method: number
  readonly offset: number
}

const END = 0x06054b50
const CENTRAL = 0x02014b50
const LOCAL = 0x04034b50
/** The end record is 22 bytes and a comment of at most 65,535. */
const END_SEARCH = 22 + 65535

/** The files of an archive, by its directory at the end. A file that is no whole zip archive is a `UserError`. */
export async function readZip(path: string): Promise<ZipEntry[]> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const tail = await readAt(file, Math.max(0, size - END_SEARCH), Math.min(size, END_SEARCH))
    const end = lastEnd(tail)
    if (end < 0) throw broken(path, 'its directory is missing')
    const count = tail.readUInt16LE(end + 10)
    const length = tail.readUInt32LE(end + 12)
    const start = tail.readUInt32LE(end + 16)
    if (start === 0xffffffff || count === 0xffff) throw broken(path, 'it is larger than this reader knows')
    if (start + length > size) throw broken(path, 'it is cut short')
    const directory = await readAt(file, start, length)
    const entries: ZipEntry[] = []
    for (let at = 0; entries.length < count; ) {
      if (at + 46 > length || directory.readUInt32LE(at) !== CENTRAL) throw broken(path, 'its directory is damaged')
      const nameLength = directory.readUInt16LE(at + 28)
      entries.push({
        name: directory.toString('utf8', at + 46, at + 46 + nameLength),
        method: directory.readUInt16LE(at + 10),
        packed: directory.readUInt32LE(at + 20),
        size: directory.readUInt32LE(at + 24),
        offset: directory.readUInt32LE(at + 42),
      })
      at += 46 + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32)
    }
    return entries
  } finally {
    await file.close()
  }
}

/** Unpacks one entry to `target`, which is whole or absent; `onBytes` is told of each piece written. */
export async function extract(
  path: string,
  entry: ZipEntry,
  target: string,
  onBytes: (count: number) => void = () => {},
): Promise<void> {
  const start = await dataStart(path, entry)
  const temporary = `${target}.partial`
  let written = 0
  const count = new Transform({
    transform(chunk: Buffer, _, done) {
      written += chunk.length
      onBytes(chunk.length)
      done(null, chunk)
    },
  })
  if (entry.method !== 0 && entry.method !== 8) throw broken(path, `${entry.name} is packed in an unknown way`)
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
    if (written !== entry.size) throw broken(path, `${entry.name} has ${written} bytes instead of ${entry.size}`)
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, { force: true })
    throw writeError(target, error)
  }
}

async function dataStart(path: string, entry: ZipEntry): Promise<number> {
  const file = await open(path, 'r')
  try {
    const header = await readAt(file, entry.offset, 30)
    if (header.length < 30 || header.readUInt32LE(0) !== LOCAL)
      throw broken(path, `${entry.name} is not where it should be`)
    return entry.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28)
  } finally {
    await file.close()
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position)
  return buffer.subarray(0, bytesRead)
}

function lastEnd(tail: Buffer): number {
  for (let at = tail.length - 22; at >= 0; at--) if (tail.readUInt32LE(at) === END) return at
  return -1
}

function broken(path: string, why: string): UserError {
  return new UserError(`${path} is not a whole wheel: ${why}.`, { fix: 'Fetch it again.' })
}
