/** Raw little-endian numbers as float32. */
import { UserError } from '../../core/errors.ts'

/** An array of numbers, row by row. */
export interface Numbers {
  readonly shape: number[]
  readonly data: Float32Array
}

/** Types that can be read, with the bytes of one number. */
export const numberTypes = {
  float32: { bytes: 4, read: (view: DataView, at: number) => view.getFloat32(at, true) },
  float64: { bytes: 8, read: (view: DataView, at: number) => view.getFloat64(at, true) },
  float16: { bytes: 2, read: (view: DataView, at: number) => half(view.getUint16(at, true)) },
  bfloat16: { bytes: 2, read: (view: DataView, at: number) => brain(view.getUint16(at, true)) },
  int64: { bytes: 8, read: (view: DataView, at: number) => Number(view.getBigInt64(at, true)) },
  int32: { bytes: 4, read: (view: DataView, at: number) => view.getInt32(at, true) },
  int16: { bytes: 2, read: (view: DataView, at: number) => view.getInt16(at, true) },
  int8: { bytes: 1, read: (view: DataView, at: number) => view.getInt8(at) },
  uint8: { bytes: 1, read: (view: DataView, at: number) => view.getUint8(at) },
} as const

/** `count` numbers of a type as float32; `bytes` must hold them. */
export function toFloat32(bytes: Uint8Array, type: keyof typeof numberTypes, count: number): Float32Array {
  const data = new Float32Array(count)
  if (type === 'float32') {
    new Uint8Array(data.buffer).set(bytes.subarray(0, data.byteLength))
    return data
  }
  const read = readerOf(bytes, type)
  for (let i = 0; i < count; i++) data[i] = read(i)
  return data
}

/** Gives the number at an index. */
function readerOf(bytes: Uint8Array, type: keyof typeof numberTypes): (index: number) => number {
  const { bytes: size, read } = numberTypes[type]
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return index => read(view, index * size)
}

function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

const scratch = new DataView(new ArrayBuffer(4))

function brain(bits: number): number {
  scratch.setUint32(0, bits << 16, true)
  return scratch.getFloat32(0, true)
}

/** A matrix turned over: [rows, columns] to [columns, rows]. */
export function transposed({ shape, data }: Numbers): Numbers {
  const [rows, columns] = shape as [number, number]
  const turned = new Float32Array(data.length)
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) turned[c * rows + r] = data[r * columns + c]!
  return { shape: [columns, rows], data: turned }
}

/** The numbers of a matrix with each row multiplied by its factor. */
export function scaleRows({ shape, data }: Numbers, factors: ArrayLike<number>): Float32Array {
  const columns = shape[1]!
  return data.map((value, i) => value * factors[Math.floor(i / columns)]!)
}

/** The numbers of a matrix with each column multiplied by its factor. */
export function scaleColumns({ shape, data }: Numbers, factors: ArrayLike<number>): Float32Array {
  const columns = shape[1]!
  return data.map((value, i) => value * factors[i % columns]!)
}

/** Euclidean norm of each row of a matrix. */
export function rowNorms({ shape, data }: Numbers): Float64Array {
  const [rows, columns] = shape as [number, number]
  return Float64Array.from({ length: rows }, (_, row) => {
    let sum = 0
    for (let i = row * columns; i < (row + 1) * columns; i++) sum += data[i]! ** 2
    return Math.sqrt(sum)
  })
}

/** Whole numbers from 0 on that are safe to count with. */
const isPlace = (value: number) => Number.isSafeInteger(value) && value >= 0

/** Weights have one to four. */
const mostAxes = 8

export interface Strided {
  readonly type: keyof typeof numberTypes
  /** Number of the storage at which the array begins. */
  readonly offset: number
  readonly shape: readonly number[]
  /** Numbers from one entry of an axis to its next. */
  readonly stride: readonly number[]
}

/** An array of a storage, row by row, whatever its strides. A `UserError` names it as `what` where it is larger than that. */
export function gather({ type, offset, shape, stride }: Strided, storage: Uint8Array, what: string): Numbers {
  if (shape.length > mostAxes) throw new UserError(`${what} has ${shape.length} axes; at most ${mostAxes} are read.`)
  const available = Math.floor(storage.length / numberTypes[type].bytes)
  const size = shape.reduce((product, side) => product * side, 1)
  const last = shape.reduce((sum, side, i) => sum + Math.max(0, side - 1) * stride[i]!, offset)
  // A stride of 0 repeats numbers; an array may not grow beyond its storage that way.
  if (!isPlace(size) || size > available || (size > 0 && last >= available))
    throw new UserError(`${what} has shape [${shape}], for which its ${available} numbers are too few.`)
  if (isStraight(shape, stride)) {
    const { bytes } = numberTypes[type]
    return { shape: [...shape], data: toFloat32(storage.subarray(offset * bytes, (offset + size) * bytes), type, size) }
  }
  const numbers = readerOf(storage, type)
  const data = new Float32Array(size)
  const place = new Array<number>(shape.length).fill(0)
  let at = offset
  for (let i = 0; i < size; i++) {
    data[i] = numbers(at)
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += stride[axis]!
      if (++place[axis]! < shape[axis]!) break
      at -= shape[axis]! * stride[axis]!
      place[axis] = 0
    }
  }
  return { shape: [...shape], data }
}

/** Whether numbers follow one another row by row. */
export function isStraight(shape: readonly number[], stride: readonly number[]): boolean {
  let step = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && stride[axis] !== step) return false
    step *= shape[axis]!
  }
  return true
}

/** The same numbers with the bytes of each turned round, from big-endian to little-endian. */
export function byteSwapped(bytes: Uint8Array, size: number): Uint8Array {
  const swapped = new Uint8Array(bytes.length)
  for (let at = 0; at + size <= bytes.length; at += size)
    for (let i = 0; i < size; i++) swapped[at + i] = bytes[at + size - 1 - i]!
  return swapped
}
