/**
 * State dicts of `torch.save`, read tensor by tensor: of a zip (since PyTorch 1.6) only the pickle is read when it is opened,
 * and of each tensor the bytes that it has. What is older is read whole.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { UserError } from '../../core/errors.ts'
import { readError } from '../../core/files.ts'
import { quote } from '../../core/quote.ts'
import { dataStart, isStored, readMember, type ZipSource, zipEntries } from '../../core/zip.ts'
import { isLegacy, legacyParts } from './legacy.ts'
import { gather, isStraight, numberTypes, toFloat32 } from './numbers.ts'
import { TensorRecord, unpickle } from './unpickle.ts'

/** An open state dict. Every `name` that it does not hold is a `UserError`. */
export interface StateDictFile {
  readonly path: string
  /** Tensor names in the order of the dict. */
  readonly names: readonly string[]
  has(name: string): boolean
  shape(name: string): number[]
  /** A floating-point tensor as float32, row by row; a `UserError` for whole numbers. */
  read(name: string): Promise<Float32Array>
  close(): Promise<void>
}

/** The numbers of a storage: how many bytes it has, and those of a range. */
interface Storage {
  readonly bytes: number
  read(start: number, length: number): Uint8Array
  /** Fills `out` with the bytes from `start` on; absent where the storage is packed, so that every range unpacks all of it. */
  readonly readInto?: (start: number, out: Uint8Array) => void
}

/** A file whose bytes can be read to where they are wanted. */
interface FileSource extends ZipSource {
  readInto(start: number, out: Uint8Array): void
}

const floatTypes: readonly (keyof typeof numberTypes)[] = ['float32', 'float64', 'float16', 'bfloat16']
const largestRead = 2 ** 30
/** Numbers that are converted at a time, so that a tensor is in memory once. */
const pieceNumbers = 2 ** 18

/** Opens a file and reads what its pickle says; a `UserError` says what is wrong with it. No code of the file runs. */
export async function openStateDict(path: string): Promise<StateDictFile> {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    throw readError(path, 'PyTorch file', error)
  }
  try {
    const info = fstatSync(file)
    if (info.isDirectory()) throw readError(path, 'PyTorch file', Object.assign(new Error(), { code: 'EISDIR' }))
    if (!info.isFile()) throw new UserError(`${path} is a device or a pipe, but a PyTorch file is a file.`)
    const source: FileSource = {
      ...{ path, size: info.size },
      read: (start, length) => readInto(file, path, start, new Uint8Array(length)),
      readInto: (start, out) => void readInto(file, path, start, out),
    }
    const { value, storages } = isLegacy(source.read(0, Math.min(64, source.size))) ? old(source) : zipped(source)
    return new OpenFile(path, file, source.size, value, storages)
  } catch (error) {
    closeSync(file)
    throw error
  }
}

class OpenFile implements StateDictFile {
  readonly path: string
  readonly names: readonly string[]
  private readonly file: number
  private readonly records = new Map<string, TensorRecord>()
  private readonly storages: ReadonlyMap<string, Storage>

  constructor(path: string, file: number, size: number, value: unknown, storages: ReadonlyMap<string, Storage>) {
    this.path = path
    this.file = file
    this.storages = storages
    if (!(value instanceof Map)) throw new UserError(`${path} holds no state dict.`)
    for (const [name, record] of value) {
      if (typeof name !== 'string' || !(record instanceof TensorRecord))
        throw new UserError(`${path} holds ${quote(String(name))}, which is no tensor.`, {
          fix: 'Save the state dict alone.',
        })
      const storage = storages.get(record.storage)
      if (!storage) throw new UserError(`${path} lacks the numbers of ${quote(name)}.`)
      // Numbers that are repeated by a stride of 0 must not make a small file grow.
      const count = record.shape.reduce((product, side) => product * side, 1)
      if (!(count * numberTypes[record.type].bytes <= storage.bytes && storage.bytes <= size * 65))
        throw new UserError(`${quote(name)} in ${path} has shape [${record.shape}], for which its numbers are too few.`)
      this.records.set(name, record)
    }
    this.names = [...this.records.keys()]
  }

  has(name: string): boolean {
    return this.records.has(name)
  }

  shape(name: string): number[] {
    return [...this.record(name).shape]
  }

  async read(name: string): Promise<Float32Array> {
    const record = this.record(name)
    const { type, offset, shape, stride } = record
    if (!floatTypes.includes(type))
      throw new UserError(`Tensor ${name} of ${this.path} is ${type}, but a weight is a floating-point number.`, {
        fix: 'Save the model in float32, float16 or bfloat16.',
      })
    const storage = this.storages.get(record.storage)!
    const { bytes } = numberTypes[type]
    const count = shape.includes(0) ? 0 : shape.reduce((sum, side, i) => sum + (side - 1) * stride[i]!, 1)
    if (offset < 0 || (offset + count) * bytes > storage.bytes)
      throw new UserError(`Tensor ${name} of ${this.path} reaches beyond its numbers.`, {
        fix: 'Fetch the file again.',
      })
    if (isStraight(shape, stride) && storage.readInto) {
      const data = new Float32Array(count)
      if (type === 'float32') {
        storage.readInto(offset * bytes, new Uint8Array(data.buffer))
        return data
      }
      const piece = new Uint8Array(Math.min(count, pieceNumbers) * bytes)
      for (let at = 0; at < count; at += pieceNumbers) {
        const some = Math.min(pieceNumbers, count - at)
        const own = piece.subarray(0, some * bytes)
        storage.readInto((offset + at) * bytes, own)
        data.set(toFloat32(own, type, some), at)
      }
      return data
    }
    const own = storage.read(offset * bytes, count * bytes)
    return gather({ type, offset: 0, shape, stride }, own, `${quote(name)} in ${this.path}`).data
  }

  async close(): Promise<void> {
    closeSync(this.file)
  }

  private record(name: string): TensorRecord {
    const found = this.records.get(name)
    if (!found) throw new UserError(`${this.path} has no tensor ${name}.`)
    return found
  }
}

function old(source: ZipSource): { value: unknown; storages: Map<string, Storage> } {
  const { value, storages } = legacyParts(source.read(0, source.size), source.path)
  return {
    value,
    storages: new Map(
      [...storages].map(([key, bytes]) => [
        key,
        { bytes: bytes.length, read: (start: number, length: number) => bytes.subarray(start, start + length) },
      ]),
    ),
  }
}

function zipped(source: FileSource): { value: unknown; storages: Map<string, Storage> } {
  const entries = zipEntries(source)
  const pickle = entries.find(({ name }) => /^[^/]+\/data\.pkl$/.test(name))
  if (!pickle) throw new UserError(`${source.path} holds no data.pkl.`, { fix: 'Save it with torch.save.' })
  const root = pickle.name.slice(0, -'data.pkl'.length)
  const order = entries.find(({ name }) => name === `${root}byteorder`)
  if (order && new TextDecoder().decode(readMember(source, order)).trim() !== 'little')
    throw new UserError(`${source.path} has big-endian numbers.`)
  const prefix = `${root}data/`
  const storages = new Map<string, Storage>()
  for (const entry of entries) {
    if (!entry.name.startsWith(prefix)) continue
    const read = isStored(entry)
      ? (start: number, length: number) => source.read(dataStart(source, entry) + start, length)
      : (start: number, length: number) => readMember(source, entry).subarray(start, start + length)
    const readInto = (start: number, out: Uint8Array) => source.readInto(dataStart(source, entry) + start, out)
    storages.set(entry.name.slice(prefix.length), {
      ...{ bytes: entry.size, read },
      ...(isStored(entry) && { readInto }),
    })
  }
  return { value: unpickle(readMember(source, pickle), source.path), storages }
}

/** Fills `bytes` from a file, which Node reads no more than 2 GiB of at once. */
function readInto(file: number, path: string, start: number, bytes: Uint8Array): Uint8Array {
  for (let at = 0; at < bytes.length; ) {
    const count = readSync(file, bytes, at, Math.min(bytes.length - at, largestRead), start + at)
    if (count === 0) throw new UserError(`The PyTorch file ${path} ended while it was read.`)
    at += count
  }
  return bytes
}
