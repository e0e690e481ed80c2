/**
 * Zip archives as `torch.save` and `numpy.savez` write them: stored, not compressed. Reads names and places from the
 * central directory, checks every one of them against the file's size, and hands out views; nothing is unpacked.
 */
import { UserError } from '../../core/errors.ts'
import { quote } from '../../core/quote.ts'

const endMark = 0x06054b50
const zip64EndMark = 0x06064b50
const zip64LocatorMark = 0x07064b50
const centralMark = 0x02014b50
const localMark = 0x04034b50
const saturated = 0xffffffff

/** The members of an archive by name. Every malformed or compressed one is a `UserError` that names `path`. */
export function readZip(file: Uint8Array, path: string): Map<string, Uint8Array> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const broken = (what: string) => new UserError(`${path} is not a whole zip archive: ${what}.`)
  const need = (start: number, bytes: number, what: string) => {
    if (!Number.isSafeInteger(start) || start < 0 || start + bytes > file.length)
      throw broken(`${what} lies outside the file`)
  }
  const { entries, start } = findDirectory(view, broken, need)
  const members = new Map<string, Uint8Array>()
  const places: [start: number, end: number][] = []
  let at = start
  for (let i = 0; i < entries; i++) {
    need(at, 46, 'its directory')
    if (view.getUint32(at, true) !== centralMark) throw broken('its directory is damaged')
    const flags = view.getUint16(at + 8, true)
    const method = view.getUint16(at + 10, true)
    const lengths = [28, 30, 32].map(offset => view.getUint16(at + offset, true)) as [number, number, number]
    need(at + 46, lengths[0] + lengths[1] + lengths[2], 'its directory')
    const name = new TextDecoder().decode(file.subarray(at + 46, at + 46 + lengths[0]))
    const shown = quote(name)
    const extra = file.subarray(at + 46 + lengths[0], at + 46 + lengths[0] + lengths[1])
    const { packed, size, offset } = sizes(view, at, extra)
    if (flags & 1) throw new UserError(`${path} is encrypted.`)
    if (method !== 0 || packed !== size)
      throw new UserError(`${shown} in ${path} is compressed.`, { fix: 'Save it without compression.' })
    need(offset, 30, shown)
    if (view.getUint32(offset, true) !== localMark) throw broken(`${shown} has no header`)
    const data = offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true)
    need(data, size, shown)
    if (members.has(name)) throw broken(`it has two members ${shown}`)
    members.set(name, file.subarray(data, data + size))
    places.push([offset, data + size])
    at += 46 + lengths[0] + lengths[1] + lengths[2]
  }
  places.sort(([a], [b]) => a - b)
  // Members that share bytes are how a small archive unpacks to a huge one.
  if (places.some(([offset], i) => i > 0 && offset < places[i - 1]![1])) throw broken('its members overlap')
  return members
}

type Need = (start: number, bytes: number, what: string) => void

/** Where the central directory starts and how many members it lists; the record is within the last 64 KiB. */
function findDirectory(
  view: DataView,
  broken: (what: string) => Error,
  need: Need,
): { entries: number; start: number } {
  const size = view.byteLength
  for (let at = size - 22; at >= Math.max(0, size - 22 - 65_535); at--) {
    if (view.getUint32(at, true) !== endMark) continue
    const entries = view.getUint16(at + 10, true)
    const start = view.getUint32(at + 16, true)
    if (start !== saturated && entries !== 0xffff) return { entries, start }
    need(at - 20, 20, 'its directory')
    if (view.getUint32(at - 20, true) !== zip64LocatorMark) throw broken('its directory is damaged')
    const end = Number(view.getBigUint64(at - 12, true))
    need(end, 56, 'its directory')
    if (view.getUint32(end, true) !== zip64EndMark) throw broken('its directory is damaged')
    return { entries: Number(view.getBigUint64(end + 32, true)), start: Number(view.getBigUint64(end + 48, true)) }
  }
  throw broken('it has no directory at its end')
}

/** Sizes and place of a member, from the directory or, where they do not fit there, from its zip64 field. */
function sizes(view: DataView, at: number, extra: Uint8Array): { packed: number; size: number; offset: number } {
  const values = {
    size: view.getUint32(at + 24, true),
    packed: view.getUint32(at + 20, true),
    offset: view.getUint32(at + 42, true),
  }
  const fields = new DataView(extra.buffer, extra.byteOffset, extra.byteLength)
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
