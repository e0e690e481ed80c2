/**
 * The one reader of zip archives: wheels, files of `torch.save` and of `numpy.savez`. Names and places come from the
 * central directory at the archive's end, and every one of them is checked against the archive's size before it is used.
 * Stored and deflated members, zip64 fields; no encryption.
 */
import { inflateRawSync } from 'node:zlib'
import { codeOf, UserError } from './errors.ts'
import { longestLfsPointer, refuseLfsPointer } from './files.ts'
import { quote } from './quote.ts'

/** A member of an archive, as the directory describes it. */
export interface ZipEntry {
  readonly name: string
  /** Bytes it has, and bytes it takes in the archive. */
  readonly size: number
  readonly packed: number
  /** 0 is stored, 8 is deflated; others are refused. */
  readonly method: number
  /** Where its header begins. */
  readonly offset: number
}

/** An archive: its length, and its bytes from one place on. `read` is asked for bytes inside the archive only. */
export interface ZipSource {
  readonly path: string
  readonly size: number
  read(start: number, length: number): Uint8Array
}

const endMark = 0x06054b50
const zip64EndMark = 0x06064b50
const zip64LocatorMark = 0x07064b50
const centralMark = 0x02014b50
const localMark = 0x04034b50
const saturated = 0xffffffff
/** The end record is 22 bytes and a comment of at most 65,535. */
const endSearch = 22 + 65_535
const stored = 0
const deflated = 8

/** The members of an archive, in the directory's order. Every malformed archive is a `UserError` that names its path. */
export function zipEntries(source: ZipSource): ZipEntry[] {
  refuseLfsPointer(source.path, source.read(0, Math.min(source.size, longestLfsPointer)))
  const { count, start, end } = findDirectory(source)
  const bytes = within(source, start, end - start, 'its directory')
  const view = viewOf(bytes)
  const entries: ZipEntry[] = []
  const names = new Set<string>()
  for (let at = 0; entries.length < count; ) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== centralMark)
      throw broken(source, 'its directory is damaged')
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map(offset => view.getUint16(at + offset, true)) as [
      number,
      number,
      number,
    ]
    const next = at + 46 + nameBytes + extraBytes + commentBytes
    if (next > bytes.length) throw broken(source, 'its directory is damaged')
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameBytes))
    const shown = quote(name)
    const method = view.getUint16(at + 10, true)
    const extra = bytes.subarray(at + 46 + nameBytes, at + 46 + nameBytes + extraBytes)
    const entry = { name, method, ...sizesOf(view, at, extra) }
    if (view.getUint16(at + 8, true) & 1) throw new UserError(`${shown} in ${source.path} is encrypted.`)
    if (method !== stored && method !== deflated)
      throw new UserError(`${shown} in ${source.path} is packed in a way that is not known (method ${method}).`, {
        fix: 'Known are stored and deflated.',
      })
    if (method === stored && entry.packed !== entry.size)
      throw broken(source, `${shown} is stored, but its two sizes differ`)
    if (names.has(name)) throw broken(source, `it has two members ${shown}`)
    within(source, entry.offset, 0, shown)
    names.add(name)
    entries.push(entry)
    at = next
  }
  // Members that share bytes are how a small archive unpacks to a huge one.
  const sorted = entries.map(({ offset, packed }) => ({ offset, end: offset + 30 + packed }))
  sorted.sort((a, b) => a.offset - b.offset)
  if (sorted.some(({ offset }, i) => i > 0 && offset < sorted[i - 1]!.end)) throw broken(source, 'its members overlap')
  return entries
}

/** Where a member's bytes begin, which its own header says; they are inside the archive. */
export function dataStart(source: ZipSource, { name, offset, packed }: ZipEntry): number {
  const header = viewOf(within(source, offset, 30, quote(name)))
  if (header.getUint32(0, true) !== localMark) throw broken(source, `${quote(name)} is not where it should be`)
  const start = offset + 30 + header.getUint16(26, true) + header.getUint16(28, true)
  within(source, start, packed, quote(name), 0)
  return start
}

/** Members of an archive in memory may unpack to this many times its size together, and a little more for small ones. */
const mostGrowth = 64
const freeGrowth = 2 ** 20

/**
 * The members of an archive in memory, by name: views where they are stored, copies where they are deflated. Those
 * together have at most 64 times the archive's size and 1 MiB, which is checked before anything is unpacked.
 */
export function unzip(file: Uint8Array, path: string): Map<string, Uint8Array> {
  const source: ZipSource = { path, size: file.length, read: (at, length) => file.subarray(at, at + length) }
  const entries = zipEntries(source)
  const grown = entries.reduce((sum, { method, size }) => sum + (method === stored ? 0 : size), 0)
  if (grown > mostGrowth * file.length + freeGrowth)
    throw new UserError(
      `${path} has ${file.length} bytes and would unpack to ${grown}; more than ${mostGrowth} times its size is refused.`,
      {
        fix: 'Save it without compression.',
      },
    )
  const places: [start: number, end: number][] = []
  const members = new Map<string, Uint8Array>()
  for (const entry of entries) {
    const start = dataStart(source, entry)
    places.push([entry.offset, start + entry.packed])
    const packed = file.subarray(start, start + entry.packed)
    members.set(entry.name, entry.method === stored ? packed : inflate(source, entry, packed))
  }
  places.sort(([a], [b]) => a - b)
  if (places.some(([offset], i) => i > 0 && offset < places[i - 1]![1])) throw broken(source, 'its members overlap')
  return members
}

/**
 * The bytes of one member. A deflated one may have 64 times the archive's size and 1 MiB at most, which is checked before it
 * is unpacked.
 */
export function readMember(source: ZipSource, entry: ZipEntry): Uint8Array {
  if (entry.method !== stored && entry.size > mostGrowth * source.size + freeGrowth)
    throw new UserError(`${quote(entry.name)} in ${source.path} would unpack to ${entry.size} bytes.`, {
      fix: 'Save it without compression.',
    })
  const packed = source.read(dataStart(source, entry), entry.packed)
  return entry.method === stored ? packed : inflate(source, entry, packed)
}

/** Whether a member lies in the archive as it is. */
export function isStored({ method }: ZipEntry): boolean {
  return method === stored
}

function inflate(source: ZipSource, { name, size }: ZipEntry, packed: Uint8Array): Uint8Array {
  let bytes: Uint8Array
  try {
    bytes = inflateRawSync(packed, { maxOutputLength: Math.max(1, size) })
  } catch (error) {
    const why = codeOf(error) === 'ERR_BUFFER_TOO_LARGE' ? `is longer than its ${size} bytes` : 'is damaged'
    throw broken(source, `${quote(name)} ${why}`)
  }
  if (bytes.length !== size) throw broken(source, `${quote(name)} has ${bytes.length} bytes instead of ${size}`)
  return bytes
}

/** Where the central directory lies, and how many members it lists; its record is within the last 64 KiB. */
function findDirectory(source: ZipSource): { count: number; start: number; end: number } {
  const from = Math.max(0, source.size - endSearch)
  const view = viewOf(source.read(from, source.size - from))
  for (let at = view.byteLength - 22; at >= 0; at--) {
    if (view.getUint32(at, true) !== endMark) continue
    const count = view.getUint16(at + 10, true)
    const start = view.getUint32(at + 16, true)
    if (start !== saturated && count !== 0xffff) return { count, start, end: start + view.getUint32(at + 12, true) }
    const locator = viewOf(within(source, from + at - 20, 20, 'its directory'))
    if (locator.getUint32(0, true) !== zip64LocatorMark) throw broken(source, 'its directory is damaged')
    const record = viewOf(within(source, Number(locator.getBigUint64(8, true)), 56, 'its directory'))
    if (record.getUint32(0, true) !== zip64EndMark) throw broken(source, 'its directory is damaged')
    const [entries, length, place] = [32, 40, 48].map(offset => Number(record.getBigUint64(offset, true))) as [
      number,
      number,
      number,
    ]
    return { count: entries, start: place, end: place + length }
  }
  throw broken(source, 'its directory is missing')
}

/** Sizes and place of a member, from the directory or, where they do not fit there, from its zip64 field. */
function sizesOf(view: DataView, at: number, extra: Uint8Array): { packed: number; size: number; offset: number } {
  const values = {
    size: view.getUint32(at + 24, true),
    packed: view.getUint32(at + 20, true),
    offset: view.getUint32(at + 42, true),
  }
  const fields = viewOf(extra)
  for (let i = 0; i + 4 <= extra.length; ) {
    const [id, length] = [fields.getUint16(i, true), fields.getUint16(i + 2, true)]
    let from = i + 4
    if (id === 1)
      for (const key of ['size', 'packed', 'offset'] as const)
        if (values[key] === saturated && from + 8 <= Math.min(extra.length, i + 4 + length)) {
          values[key] = Number(fields.getBigUint64(from, true))
          from += 8
        }
    i += 4 + length
  }
  return values
}

/** Bytes of the archive, all of which are inside it; `given` of them are read where not all are wanted. */
function within(source: ZipSource, start: number, length: number, what: string, given = length): Uint8Array {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(length) || start < 0 || length < 0)
    throw broken(source, `the place of ${what} is absurd`)
  if (start + length > source.size) throw broken(source, `it is cut short: ${what} lies outside it`)
  return source.read(start, given)
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

function broken({ path }: ZipSource, why: string): UserError {
  return new UserError(`${path} is not a whole zip archive: ${why}.`, { fix: 'Fetch or write it again.' })
}
