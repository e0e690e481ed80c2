/**
 * Writes zip archives as `torch.save` and `numpy.savez` do: members stored, not compressed, each with its CRC-32. Sizes and
 * places beyond 32 bits go into zip64 fields. No times are written, so equal members give equal bytes.
 */

/** A member: its name and its bytes, in pieces. */
export interface ZipMember {
  readonly name: string
  readonly data: readonly Uint8Array[]
}

export interface ZipOptions {
  /** Members' bytes begin at multiples of this many bytes of the file. */
  readonly align?: number
  /** From this size or place on zip64 fields are used; tests lower it. */
  readonly limit?: number
}

/** PyTorch's mark of the extra field that only pads. */
const paddingField = 0x4246
const zip64Field = 1

/** The archive of these members, in pieces that are to be written one after another. */
export function zipPieces(members: readonly ZipMember[], options: ZipOptions = {}): Uint8Array[] {
  const { align = 1, limit = 0xffffffff } = options
  const pieces: Uint8Array[] = []
  const directory: Uint8Array[] = []
  let offset = 0
  const add = (...parts: readonly Uint8Array[]) => {
    for (const part of parts) {
      pieces.push(part)
      offset += part.length
    }
  }
  for (const { name, data } of members) {
    const path = new TextEncoder().encode(name)
    const size = data.reduce((sum, piece) => sum + piece.length, 0)
    const entry = { crc: crc32(data), size, path, start: offset, limit }
    const wide = size >= limit ? zip64Extra([size, size]) : new Uint8Array(0)
    const before = offset + 30 + path.length + wide.length
    const extra = concatenate(wide, padding(before, align))
    add(header(entry, extra), path, extra, ...data)
    directory.push(centralHeader(entry))
  }
  const start = offset
  add(...directory)
  add(endOfDirectory(members.length, start, offset, limit))
  return pieces
}

interface Entry {
  readonly crc: number
  readonly size: number
  readonly path: Uint8Array
  readonly start: number
  readonly limit: number
}

/** The part that local and central headers share, from byte `at` on. */
function describe(view: DataView, at: number, { crc, size, path, limit }: Entry, extraBytes: number): void {
  const shown = size >= limit ? 0xffffffff : size
  view.setUint16(at, size >= limit ? 45 : 20, true)
  view.setUint16(at + 8, 0x21, true) // 1 January 1980, the first day there is
  view.setUint32(at + 10, crc, true)
  view.setUint32(at + 14, shown, true)
  view.setUint32(at + 18, shown, true)
  view.setUint16(at + 22, path.length, true)
  view.setUint16(at + 24, extraBytes, true)
}

function header(entry: Entry, extra: Uint8Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(30))
  view.setUint32(0, 0x04034b50, true)
  describe(view, 4, entry, extra.length)
  return new Uint8Array(view.buffer)
}

function centralHeader(entry: Entry): Uint8Array {
  const { size, start, path, limit } = entry
  const wide = [...(size >= limit ? [size, size] : []), ...(start >= limit ? [start] : [])]
  const extra = wide.length > 0 ? zip64Extra(wide) : new Uint8Array(0)
  const view = new DataView(new ArrayBuffer(46))
  view.setUint32(0, 0x02014b50, true)
  view.setUint16(4, wide.length > 0 ? 45 : 20, true)
  describe(view, 6, entry, extra.length)
  view.setUint32(42, start >= limit ? 0xffffffff : start, true)
  return concatenate(new Uint8Array(view.buffer), path, extra)
}

function endOfDirectory(entries: number, start: number, end: number, limit: number): Uint8Array {
  const wide = entries >= 0xffff || start >= limit
  const plain = new DataView(new ArrayBuffer(22))
  plain.setUint32(0, 0x06054b50, true)
  plain.setUint16(8, wide ? 0xffff : entries, true)
  plain.setUint16(10, wide ? 0xffff : entries, true)
  plain.setUint32(12, wide ? 0xffffffff : end - start, true)
  plain.setUint32(16, wide ? 0xffffffff : start, true)
  if (!wide) return new Uint8Array(plain.buffer)
  const record = new DataView(new ArrayBuffer(56))
  record.setUint32(0, 0x06064b50, true)
  record.setBigUint64(4, 44n, true)
  record.setUint16(12, 45, true)
  record.setUint16(14, 45, true)
  record.setBigUint64(24, BigInt(entries), true)
  record.setBigUint64(32, BigInt(entries), true)
  record.setBigUint64(40, BigInt(end - start), true)
  record.setBigUint64(48, BigInt(start), true)
  const locator = new DataView(new ArrayBuffer(20))
  locator.setUint32(0, 0x07064b50, true)
  locator.setBigUint64(8, BigInt(end), true)
  locator.setUint32(16, 1, true)
  return concatenate(...[record, locator, plain].map(({ buffer }) => new Uint8Array(buffer)))
}

function zip64Extra(values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 + 8 * values.length))
  view.setUint16(0, zip64Field, true)
  view.setUint16(2, 8 * values.length, true)
  for (const [i, value] of values.entries()) view.setBigUint64(4 + 8 * i, BigInt(value), true)
  return new Uint8Array(view.buffer)
}

/** An extra field after byte `before`, so long that what follows it is aligned. */
function padding(before: number, align: number): Uint8Array {
  if (align <= 1) return new Uint8Array(0)
  const missing = (align - ((before + 4) % align)) % align
  const view = new DataView(new ArrayBuffer(4 + missing))
  view.setUint16(0, paddingField, true)
  view.setUint16(2, missing, true)
  return new Uint8Array(view.buffer)
}

function concatenate(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1
  return rest >>> 0
})

/** CRC-32 of pieces, one after another. */
export function crc32(pieces: readonly Uint8Array[]): number {
  let rest = 0xffffffff
  for (const piece of pieces)
    for (let i = 0; i < piece.length; i++) rest = table[(rest ^ piece[i]!) & 255]! ^ (rest >>> 8)
  return (rest ^ 0xffffffff) >>> 0
}
