/** Columns of a table as Arrow arrays, and back to plain values. */
import * as arrow from 'apache-arrow'

/** A column: its type and values, `null` where there is no value. */
export type Column = ColumnValues & {
  /** Declares the column nullable even where every value of this table is there, so that all such tables are alike. */
  readonly nullable?: boolean
}

/** Types a column may have, and the values it takes. */
export type ColumnValues =
  | { readonly type: 'int32' | 'uint32' | 'float32' | 'float64'; readonly values: ArrayLike<number | null> }
  | { readonly type: 'int64'; readonly values: ArrayLike<number | bigint | null> }
  | { readonly type: 'boolean'; readonly values: ArrayLike<boolean | number | null> }
  | { readonly type: 'string'; readonly values: ArrayLike<string | null> }
  | { readonly type: 'list<float32>' | 'list<int32>'; readonly values: ArrayLike<ArrayLike<number> | null> }
  | { readonly type: 'list<string>'; readonly values: ArrayLike<ArrayLike<string> | null> }

/**
 * A column as an Arrow array; throws for a NaN, which readers take for a number: a missing value is null. Its buffers are always fresh: apache-arrow's stream writer merges neighbouring views of
 * one buffer, and writes a buffer that two columns share only once.
 */
export function toArrow(column: ColumnValues, name: string): arrow.Data {
  switch (column.type) {
    case 'int32':
      return numbers(new arrow.Int32(), Int32Array, column.values, name)
    case 'uint32':
      return numbers(new arrow.Uint32(), Uint32Array, column.values, name)
    case 'float32':
      return numbers(new arrow.Float32(), Float32Array, column.values, name)
    case 'float64':
      return numbers(new arrow.Float64(), Float64Array, column.values, name)
    case 'int64': {
      const { length } = column.values
      const data = BigInt64Array.from(Array.from({ length }, (_, i) => BigInt(column.values[i] ?? 0)))
      return arrow.makeData({ type: new arrow.Int64(), length, data, ...nullsOf(column.values) })
    }
    case 'boolean': {
      const { length } = column.values
      const data = bits(length, i => Boolean(column.values[i]))
      return arrow.makeData({ type: new arrow.Bool(), length, data, ...nullsOf(column.values) })
    }
    case 'string':
      return strings(column.values)
    case 'list<float32>':
    case 'list<int32>':
    case 'list<string>':
      return lists(column, name)
  }
}

/** Plain values of an Arrow column: numbers, booleans, strings, arrays of these, or null. */
export function fromArrow(column: arrow.Vector): unknown[] {
  const values = new Array<unknown>(column.length)
  for (let i = 0; i < column.length; i++) values[i] = plainValue(column.get(i))
  return values
}

/** A value of an Arrow column as a number, boolean, string, array of these, or null. */
export function plainValue(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (value instanceof arrow.Vector) return fromArrow(value)
  return value
}

type NumberArray = Int32ArrayConstructor | Uint32ArrayConstructor | Float32ArrayConstructor | Float64ArrayConstructor

function numbers(
  type: arrow.DataType,
  ArrayType: NumberArray,
  values: ArrayLike<number | null>,
  name: string,
): arrow.Data {
  for (let i = 0; i < values.length; i++)
    if (Number.isNaN(values[i])) throw new Error(`The column ${name} holds NaN at ${i}; a missing value is null.`)
  if (values instanceof ArrayType)
    return arrow.makeData({ type: type as arrow.Float32, data: values.slice() as Float32Array })
  const { length } = values
  const data = new ArrayType(length)
  for (let i = 0; i < length; i++) data[i] = values[i] ?? 0
  return arrow.makeData({ type: type as arrow.Float32, length, data: data as Float32Array, ...nullsOf(values) })
}

function strings(values: ArrayLike<string | null>): arrow.Data {
  const { length } = values
  // Most columns of text repeat few values: each is encoded once.
  const encoded = new Map<string, Buffer>()
  const bytesOf = (value: string) => {
    const found = encoded.get(value) ?? Buffer.from(value, 'utf8')
    encoded.set(value, found)
    return found
  }
  const parts = Array.from({ length }, (_, i) => bytesOf(values[i] ?? ''))
  const valueOffsets = offsetsOf(length, i => parts[i]!.length)
  const data = new Uint8Array(valueOffsets[length]!)
  for (let i = 0; i < length; i++) data.set(parts[i]!, valueOffsets[i])
  return arrow.makeData({ type: new arrow.Utf8(), length, valueOffsets, data, ...nullsOf(values) })
}

function lists(column: Extract<ColumnValues, { type: `list<${string}>` }>, name: string): arrow.Data {
  const values = column.values as ArrayLike<ArrayLike<number | string> | null>
  const { length } = values
  const valueOffsets = offsetsOf(length, i => values[i]?.length ?? 0)
  const flat = new Array<number | string>(valueOffsets[length]!)
  for (let i = 0; i < length; i++) {
    const list = values[i]
    if (list) for (let j = 0; j < list.length; j++) flat[valueOffsets[i]! + j] = list[j]!
  }
  const child = toArrow({ type: column.type.slice(5, -1), values: flat } as ColumnValues, name)
  const type = new arrow.List(new arrow.Field('item', child.type, child.nullCount > 0))
  return arrow.makeData({ type, length, valueOffsets, child, ...nullsOf(values) })
}

function offsetsOf(length: number, sizeOf: (i: number) => number): Int32Array {
  const offsets = new Int32Array(length + 1)
  for (let i = 0; i < length; i++) offsets[i + 1] = offsets[i]! + sizeOf(i)
  return offsets
}

/** The validity bitmap, only where a value is missing. */
function nullsOf(values: ArrayLike<unknown>): { nullCount: number; nullBitmap?: Uint8Array } {
  let nullCount = 0
  for (let i = 0; i < values.length; i++) if (values[i] === null || values[i] === undefined) nullCount++
  if (nullCount === 0) return { nullCount }
  return { nullCount, nullBitmap: bits(values.length, i => values[i] !== null && values[i] !== undefined) }
}

function bits(length: number, isSet: (i: number) => boolean): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(length / 8))
  for (let i = 0; i < length; i++) if (isSet(i)) bytes[i >> 3]! |= 1 << (i & 7)
  return bytes
}
