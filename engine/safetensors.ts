/**
 * Safetensors files: 8 bytes of header length (little-endian), a JSON header `{ name: { dtype, shape, data_offsets } }`
 * with an optional `__metadata__` of strings, then the tensors' bytes without gaps.
 *
 * The whole header is checked before any tensor is read, and nothing is allocated that the file's size does not cover.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { UserError } from '../core/errors.ts'
import { longestLfsPointer, readError, refuseLfsPointer, writeAtomic } from '../core/files.ts'
import { parseHeader, type TensorEntry } from './safetensors-header.ts'

/** An open safetensors file. Every `name` that it does not hold is a `UserError`. */
export interface SafetensorsFile {
  readonly path: string
  /** Tensor names in the order of their bytes. */
  readonly names: readonly string[]
  readonly metadata: Readonly<Record<string, string>>
  has(name: string): boolean
  shape(name: string): number[]
  /** As the file spells it: F32, F16, BF16, F64, I64, I32, U8 … */
  dtype(name: string): string
  /** A floating-point tensor (F32, F16, BF16, F64, F8_E4M3, F8_E5M2) as float32, row by row. */
  read(name: string): Promise<Float32Array>
  /** An integer or BOOL tensor; a `UserError` where a value is beyond 32 bits. */
  readInts(name: string): Promise<Int32Array>
  /**
   * An F32 tensor whose `data` are read when they are asked for, anew each time, also after `close`; the file must still be
   * what it was.
   */
  later(name: string): { shape: number[]; readonly data: Float32Array; dtype: 'F32' }
  close(): Promise<void>
}

/** Opens a file and checks its header; a `UserError` says in one sentence what is wrong with it. */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (error) {
    throw readError(path, 'safetensors file', error)
  }
  try {
    const { size } = await file.stat().then(info => {
      if (info.isDirectory()) throw readError(path, 'safetensors file', Object.assign(new Error(), { code: 'EISDIR' }))
      return info
    })
    if (size < 8) throw broken(path, `it has ${size} bytes, and the header length alone takes 8`)
    const lengthBytes = await readBytes(file, 0, 8, path)
    const headerBytes = new DataView(lengthBytes).getBigUint64(0, true)
    refuseLfsPointer(path, new Uint8Array(await readBytes(file, 0, Math.min(size, longestLfsPointer), path)))
    if (headerBytes > BigInt(size - 8))
      throw broken(path, `its header claims ${headerBytes} bytes, but the file has ${size}`)
    const header = new Uint8Array(await readBytes(file, 8, Number(headerBytes), path))
    const { tensors, metadata } = parseHeader(header, size - 8 - header.length, path)
    return new OpenFile(path, file, 8 + header.length, tensors, metadata)
  } catch (error) {
    await file.close()
    throw error
  }
}

class OpenFile implements SafetensorsFile {
  readonly path: string
  readonly names: readonly string[]
  readonly metadata: Readonly<Record<string, string>>
  private readonly file: FileHandle
  private readonly start: number
  private readonly tensors: ReadonlyMap<string, TensorEntry>

  constructor(
    path: string,
    file: FileHandle,
    start: number,
    tensors: ReadonlyMap<string, TensorEntry>,
    metadata: Readonly<Record<string, string>>,
  ) {
    this.path = path
    this.file = file
    this.start = start
    this.tensors = tensors
    this.names = [...tensors.keys()]
    this.metadata = metadata
  }

  has(name: string): boolean {
    return this.tensors.has(name)
  }

  shape(name: string): number[] {
    return [...this.entry(name).shape]
  }

  dtype(name: string): string {
    return this.entry(name).dtype
  }

  async read(name: string): Promise<Float32Array> {
    const { dtype } = this.entry(name)
    const convert = floats[dtype]
    if (!convert) throw this.unreadable(name, dtype, 'floating-point', Object.keys(floats))
    return convert(await this.bytes(name))
  }

  async readInts(name: string): Promise<Int32Array> {
    const { dtype } = this.entry(name)
    const convert = integers[dtype]
    if (!convert) throw this.unreadable(name, dtype, 'integer', Object.keys(integers))
    const values = convert(await this.bytes(name))
    if (values instanceof Int32Array) return values
    const result = new Int32Array(values.length)
    for (let i = 0; i < result.length; i++) {
      result[i] = Number(values[i]!)
      if (BigInt(result[i]!) !== BigInt(values[i]!))
        throw new UserError(`Tensor ${name} of ${this.path} holds ${values[i]}, which is beyond 32 bits.`)
    }
    return result
  }

  later(name: string): ReturnType<SafetensorsFile['later']> {
    const { path } = this
    const { begin, end, dtype, shape } = this.entry(name)
    if (dtype !== 'F32') throw this.unreadable(name, dtype, 'float32', ['F32'])
    const position = this.start + begin
    return {
      shape: [...shape],
      dtype,
      get data() {
        const bytes = new Uint8Array(end - begin)
        const file = openSync(path, 'r')
        try {
          for (let done = 0; done < bytes.length; ) {
            const read = readSync(file, bytes, done, Math.min(bytes.length - done, largestRead), position + done)
            if (read === 0) throw broken(path, 'it ended while it was read')
            done += read
          }
        } finally {
          closeSync(file)
        }
        return new Float32Array(bytes.buffer)
      },
    }
  }

  close(): Promise<void> {
    return this.file.close()
  }

  private bytes(name: string): Promise<ArrayBuffer> {
    const { begin, end } = this.entry(name)
    return readBytes(this.file, this.start + begin, end - begin, this.path)
  }

  private entry(name: string): TensorEntry {
    const entry = this.tensors.get(name)
    if (!entry) throw new UserError(`The safetensors file ${this.path} has no tensor ${name}.`)
    return entry
  }

  private unreadable(name: string, dtype: string, kind: string, known: string[]): UserError {
    return new UserError(
      `Tensor ${name} of ${this.path} is ${dtype}, where a ${kind} tensor (${known.join(', ')}) is needed.`,
    )
  }
}

const floats: Record<string, (bytes: ArrayBuffer) => Float32Array> = {
  F32: bytes => new Float32Array(bytes),
  F64: bytes => Float32Array.from(new Float64Array(bytes)),
  F16: bytes => {
    const table = halfTable()
    return Float32Array.from(new Uint16Array(bytes), bits => table[bits]!)
  },
  BF16: bytes => {
    const halves = new Uint16Array(bytes)
    const words = new Uint32Array(halves.length)
    for (let i = 0; i < words.length; i++) words[i] = halves[i]! << 16
    return new Float32Array(words.buffer)
  },
  // 4 bits of exponent and 3 of fraction: no infinity, and NaN where all of them are set.
  F8_E4M3: bytes => {
    const table = Float32Array.from({ length: 256 }, (_, bits) => {
      const [exponent, fraction] = [(bits >> 3) & 15, bits & 7]
      const sign = bits & 0x80 ? -1 : 1
      if (exponent === 15 && fraction === 7) return Number.NaN
      return exponent === 0 ? sign * fraction * 2 ** -9 : sign * (1 + fraction / 8) * 2 ** (exponent - 7)
    })
    return Float32Array.from(new Uint8Array(bytes), bits => table[bits]!)
  },
  // The upper half of a float16.
  F8_E5M2: bytes => {
    const table = halfTable()
    return Float32Array.from(new Uint8Array(bytes), bits => table[bits << 8]!)
  },
}

type Integers =
  | Int32Array
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array

const integers: Record<string, (bytes: ArrayBuffer) => Integers> = {
  I32: bytes => new Int32Array(bytes),
  I64: bytes => new BigInt64Array(bytes),
  U8: bytes => new Uint8Array(bytes),
  BOOL: bytes => new Uint8Array(bytes),
  I8: bytes => new Int8Array(bytes),
  I16: bytes => new Int16Array(bytes),
  U16: bytes => new Uint16Array(bytes),
  U32: bytes => new Uint32Array(bytes),
  U64: bytes => new BigUint64Array(bytes),
}

let halves: Float32Array | undefined

/** float32 of every float16 bit pattern. */
function halfTable(): Float32Array {
  if (halves) return halves
  halves = new Float32Array(65536)
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1
    const exponent = (bits >> 10) & 31
    const fraction = bits & 1023
    if (exponent === 31) halves[bits] = fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
    else if (exponent === 0) halves[bits] = sign * fraction * 2 ** -24
    else halves[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
  }
  return halves
}

/** Node refuses larger single reads. */
const largestRead = 2 ** 30

async function readBytes(file: FileHandle, position: number, length: number, path: string): Promise<ArrayBuffer> {
  const buffer = new ArrayBuffer(length)
  for (let done = 0; done < length; ) {
    const part = new Uint8Array(buffer, done, Math.min(length - done, largestRead))
    const { bytesRead } = await file.read(part, 0, part.length, position + done)
    if (bytesRead === 0) throw broken(path, 'it ended while it was read')
    done += bytesRead
  }
  return buffer
}

function broken(path: string, why: string): UserError {
  return new UserError(`${path} is not a whole safetensors file: ${why}.`, { fix: 'Fetch or write the file again.' })
}

/**
 * A tensor to write: F32 from a Float32Array, I32 from an Int32Array. Where `dtype` says which, `data` is asked for once,
 * when the tensor is written.
 */
export interface TensorData {
  readonly shape: readonly number[]
  readonly data: Float32Array | Int32Array
  readonly dtype?: 'F32' | 'I32'
}

/** Writes a file atomically. Tensors and metadata are sorted by name: equal content gives equal bytes. */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, TensorData>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const names = Object.keys(tensors).sort()
  const header: [string, unknown][] = []
  if (Object.keys(metadata).length > 0)
    header.push(['__metadata__', Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)))])
  let offset = 0
  for (const name of names) {
    const tensor = tensors[name]!
    const bytes = 4 * elementsOf(tensor)
    if (name === '__metadata__') throw new Error('A tensor may not be called __metadata__.')
    const dtype = tensor.dtype ?? (tensor.data instanceof Float32Array ? 'F32' : 'I32')
    header.push([name, { dtype, shape: tensor.shape, data_offsets: [offset, offset + bytes] }])
    offset += bytes
  }
  const json = `{${header.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`).join(',')}}`
  const bytes = new TextEncoder().encode(json)
  // Spaces up to a multiple of 8, so that the tensors' bytes are aligned in memory-mapped files.
  const head = new Uint8Array(8 + Math.ceil(bytes.length / 8) * 8).fill(0x20)
  new DataView(head.buffer).setBigUint64(0, BigInt(head.length - 8), true)
  head.set(bytes, 8)
  function* parts() {
    yield head
    for (const name of names) {
      const { data } = tensors[name]!
      const elements = elementsOf(tensors[name]!)
      if (elements !== data.length)
        throw new Error(`Tensor ${name} cannot be written: it has ${elements} elements, the data ${data.length}.`)
      yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    }
  }
  await writeAtomic(path, parts())
}

const elementsOf = ({ shape }: TensorData) => shape.reduce((product, size) => product * size, 1)
