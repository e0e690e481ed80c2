/** A Parquet table of a run, held as Arrow columns: a column is read when it is first asked for, a row made when it is shown. */
import * as arrow from 'apache-arrow'
import { UserError } from '../../core/errors.ts'
import { nearest } from '../../core/nearest.ts'
import { quoted } from '../../core/quote.ts'
import { plainValue, readArrow, readTableInfo, type TableInfo } from '../../datasets/tables.ts'
import type { FilterColumn } from './filter.ts'
import type { Selectable } from './select.ts'

/** What a column holds. */
export type ColumnKind = 'number' | 'boolean' | 'text' | 'list'

/** Columns that are read at once: the decoder holds as many, and its memory never shrinks. */
const columnsAtOnce = 4

export class Table implements Selectable {
  readonly path: string
  readonly schema: number
  readonly rows: number
  readonly names: readonly string[]
  /** Columns of lists, which take most of the room; and all others. */
  readonly lists: readonly string[]
  readonly scalars: readonly string[]
  readonly orders = new Map<string, Int32Array>()
  readonly #vectors = new Map<string, arrow.Vector>()
  readonly #columns = new Map<string, FilterColumn>()

  private constructor(path: string, { schema, rows, columns, lists }: TableInfo) {
    this.path = path
    this.schema = schema
    this.rows = rows
    this.names = columns
    this.lists = lists
    this.scalars = columns.filter(name => !lists.includes(name))
  }

  /** Opens a table of a schema that the caller knows; reads its footer alone. */
  static async open(path: string, schema: number): Promise<Table> {
    const info = await readTableInfo(path)
    if (info.schema !== schema)
      throw new UserError(`The table ${path} has schema ${info.schema}, but this version reads schema ${schema}.`, {
        fix: 'Read it with the version that wrote it, or make it again with this one.',
      })
    return new Table(path, info)
  }

  /** Reads columns, so that they can be asked for. Unknown ones are a `UserError`. */
  async load(names: Iterable<string>): Promise<this> {
    const wanted = [...new Set(names)].filter(name => !this.#vectors.has(name))
    for (const name of wanted)
      if (!this.names.includes(name))
        throw new UserError(`There is no column ${quoted(name)}.`, {
          fix: `Did you mean ${nearest(name, this.names, 3).join(', ')}?`,
        })
    if (wanted.length === 0) return this
    // A few at a time, so that the decoder never holds the whole table.
    for (let start = 0; start < wanted.length; start += columnsAtOnce) {
      const columns = wanted.slice(start, start + columnsAtOnce)
      const table = await readArrow(this.path, { columns, schema: this.schema })
      for (const name of columns) this.#vectors.set(name, table.getChild(name)!)
    }
    return this
  }

  /** Bytes of the columns that were loaded, with what was made of them for conditions and orders; texts at 16 bytes each. */
  get bytes(): number {
    let bytes = 0
    for (const vector of this.#vectors.values()) bytes += vector.byteLength
    for (const column of this.#columns.values())
      bytes += column.kind === 'number' ? column.values.byteLength : 16 * this.rows
    for (const order of this.orders.values()) bytes += order.byteLength
    return bytes
  }

  /** A column that was loaded. */
  vector(name: string): arrow.Vector {
    const vector = this.#vectors.get(name)
    if (!vector) throw new Error(`The column ${name} of ${this.path} was not loaded.`)
    return vector
  }

  kind(name: string): ColumnKind {
    const { type } = this.vector(name)
    if (arrow.DataType.isList(type)) return 'list'
    if (arrow.DataType.isBool(type)) return 'boolean'
    return arrow.DataType.isFloat(type) || arrow.DataType.isInt(type) ? 'number' : 'text'
  }

  /** A loaded column as conditions see it: lists are texts with spaces between their entries. */
  column(name: string): FilterColumn {
    const known = this.#columns.get(name)
    if (known) return known
    const made = this.kind(name) === 'number' ? this.#numbers(name) : this.#texts(name)
    this.#columns.set(name, made)
    return made
  }

  #numbers(name: string): FilterColumn {
    const vector = this.vector(name)
    const values = new Float64Array(this.rows)
    for (let row = 0; row < this.rows; row++) {
      const value = vector.get(row)
      values[row] = value === null ? Number.NaN : Number(value)
    }
    return { kind: 'number', values }
  }

  #texts(name: string): FilterColumn {
    const vector = this.vector(name)
    const texts = Array.from({ length: this.rows }, (_, row) => textOf(plainValue(vector.get(row))))
    return { kind: 'text', text: row => texts[row]! }
  }

  /** A row as an object of the columns named, all of them loaded. */
  row(row: number, names: readonly string[]): Record<string, unknown> {
    return Object.fromEntries(names.map(name => [name, plainValue(this.vector(name).get(row))]))
  }

  /** A row with all columns. All are loaded then: reading the file again for every row would cost far more than they take. */
  async record(row: number): Promise<Record<string, unknown>> {
    await this.load(this.names)
    return this.row(row, this.names)
  }

  /** Rows as an Arrow table with the types of the file. */
  take(rows: Int32Array, names: readonly string[]): arrow.Table {
    return new arrow.Table(
      Object.fromEntries(
        names.map(name => {
          const vector = this.vector(name)
          // The builder of lists takes arrays: of a vector of texts it would make empty ones.
          const pick =
            this.kind(name) === 'list' ? (row: number) => plainValue(vector.get(row)) : vector.get.bind(vector)
          return [name, arrow.vectorFromArray(Array.from(rows, pick), vector.type)]
        }),
      ),
    )
  }
}

function textOf(value: unknown): string | null {
  return value === null ? null : Array.isArray(value) ? value.join(' ') : String(value)
}
