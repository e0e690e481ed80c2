/** A column of a table in memory, in as little of it as its values need: numbers as numbers, texts that repeat by their place in a list. */
import * as arrow from 'apache-arrow'
import { plainValue } from '../../datasets/tables.ts'
import type { FilterColumn } from './filter.ts'

/** A column whose values are at hand. */
export interface Column {
  readonly type: arrow.DataType
  /** Rows without a value. */
  readonly missing: number
  /** Bytes that it takes; texts that are made for conditions are counted when they are. */
  readonly bytes: number
  /** Number, boolean, text, an array of these, or null. */
  get(row: number): unknown
  /** As conditions see it: lists are texts with spaces between their entries. */
  filter(): FilterColumn
}

/** Different texts up to which a column is kept as a list of them and a place in it for each row. */
const mostListed = 0xffff

/** The column with these values. */
export function columnOf(vector: arrow.Vector): Column {
  const { type } = vector
  if (arrow.DataType.isFloat(type) || arrow.DataType.isInt(type)) return numbers(vector)
  if (arrow.DataType.isUtf8(type)) return listed(vector) ?? texts(vector)
  return plain(vector)
}

function numbers(vector: arrow.Vector): Column {
  const values = new Float64Array(vector.length)
  let start = 0
  // Piece by piece: a vector's own iteration takes a hundred times as long.
  for (const data of vector.data) {
    const own = values.subarray(start, start + data.length)
    const from = data.values.subarray(0, data.length) as arrow.DataType['TArray']
    if (from instanceof BigInt64Array || from instanceof BigUint64Array) own.set(Float64Array.from(from, Number))
    else own.set(from)
    if (data.nullCount > 0) for (let i = 0; i < data.length; i++) if (!data.getValid(i)) own[i] = Number.NaN
    start += data.length
  }
  return {
    type: vector.type,
    missing: vector.nullCount,
    bytes: values.byteLength,
    get: row => (Number.isNaN(values[row]) ? null : values[row]),
    filter: () => ({ kind: 'number', values }),
  }
}

/** Undefined where too many texts differ for it to save anything. */
function listed(vector: arrow.Vector): Column | undefined {
  const places = new Map<string | null, number>()
  const texts: (string | null)[] = []
  const most = Math.min(mostListed, vector.length >> 3)
  const codes = new Uint16Array(vector.length)
  let row = 0
  for (const text of vector as Iterable<string | null>) {
    let place = places.get(text)
    if (place === undefined) {
      if (texts.length > most) return undefined
      place = texts.push(text) - 1
      places.set(text, place)
    }
    codes[row++] = place
  }
  const text = (row: number) => texts[codes[row]!]!
  return {
    type: vector.type,
    missing: vector.nullCount,
    bytes: codes.byteLength,
    get: text,
    filter: () => ({ kind: 'text', text }),
  }
}

function texts(vector: arrow.Vector): Column {
  const all = Array.from(vector as Iterable<string | null>)
  const text = (row: number) => all[row]!
  return {
    type: vector.type,
    missing: vector.nullCount,
    bytes: all.reduce((sum, one) => sum + 16 + (one?.length ?? 0), 0),
    get: text,
    filter: () => ({ kind: 'text', text }),
  }
}

/** Booleans and lists stay as they were read. */
function plain(vector: arrow.Vector): Column {
  let texts: (string | null)[] | undefined
  return {
    type: vector.type,
    missing: vector.nullCount,
    get bytes() {
      return vector.byteLength + (texts ? 16 * vector.length : 0)
    },
    get: row => plainValue(vector.get(row)),
    filter() {
      texts ??= Array.from(vector, value => textOf(plainValue(value)))
      return { kind: 'text', text: row => texts![row]! }
    },
  }
}

function textOf(value: unknown): string | null {
  return value === null ? null : Array.isArray(value) ? value.join(' ') : String(value)
}
