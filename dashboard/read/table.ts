/**
 * A Parquet table of a run: a column is read when it is first asked for and kept within a bound of bytes, a row made when it is shown.
 * Of columns that are not in memory the rows alone are read, from the row groups that hold them.
 */
import * as arrow from 'apache-arrow'
import { UserError } from '../../core/errors.ts'
import { collectGarbage } from '../../core/memory.ts'
import { nearest } from '../../core/nearest.ts'
import { quoted } from '../../core/quote.ts'
import { plainValue, readArrow, readTableInfo, scanTable, type TableInfo } from '../../datasets/tables.ts'
import { type Column, columnOf } from './column.ts'
import type { FilterColumn } from './filter.ts'
import type { Selectable } from './select.ts'

/** What a column holds. */
export type ColumnKind = 'number' | 'boolean' | 'text' | 'list'

/** Bytes of columns that are read at once, about: the decoder holds as many, and its memory never shrinks. */
const bytesAtOnce = 16 * 2 ** 20
/** Bytes of a value, about. */
const usualValue = 16
/** Bytes of columns of one table that are kept, and always those that were asked for last. */
const usualKept = 96 * 2 ** 20

/** Bytes that were read to make columns of, and what of them may lie about. */
let passed = 0
const mostPassed = 6 * 2 ** 20
/** Done when the columns asked for before are made. */
let turn: Promise<unknown> = Promise.resolve()

/** What all views of a table have in common. */
interface Shared {
  readonly info: TableInfo
  readonly keptBytes: number
  /** By when they were asked for, the last one last. */
  readonly columns: Map<string, Column>
  readonly loading: Map<string, Promise<Column>>
  readonly missing: Map<string, number>
  readonly orders: Map<string, Int32Array>
}

type Row = Record<string, unknown>

export class Table implements Selectable {
  readonly path: string
  readonly schema: number
  readonly rows: number
  readonly names: readonly string[]
  /** Columns of lists, which take most of the room; and all others. */
  readonly lists: readonly string[]
  readonly scalars: readonly string[]
  readonly orders: Map<string, Int32Array>
  readonly #shared: Shared
  /** What this view asked for: it stays, whatever others ask for meanwhile. */
  readonly #held = new Map<string, Column>()

  private constructor(path: string, shared: Shared) {
    const { schema, rows, columns, lists } = shared.info
    this.path = path
    this.schema = schema
    this.rows = rows
    this.names = columns
    this.lists = lists
    this.scalars = columns.filter(name => !lists.includes(name))
    this.orders = shared.orders
    this.#shared = shared
  }

  /** Opens a table of a schema that the caller knows; reads its footer alone. `keptBytes` bounds the columns that stay in memory. */
  static async open(path: string, schema: number, keptBytes = usualKept): Promise<Table> {
    const info = await readTableInfo(path)
    if (info.schema !== schema)
      throw new UserError(`The table ${path} has schema ${info.schema}, but this version reads schema ${schema}.`, {
        fix: 'Read it with the version that wrote it, or make it again with this one.',
      })
    const [columns, loading, missing, orders] = [new Map(), new Map(), new Map(), new Map()]
    return new Table(path, { info, keptBytes, columns, loading, missing, orders })
  }

  /** The same table for one question: the columns that it loads are at hand until it is answered. */
  view(): Table {
    return new Table(this.path, this.#shared)
  }

  /** Reads columns, so that they can be asked for. Unknown ones are a `UserError`. */
  async load(names: Iterable<string>): Promise<this> {
    const wanted = [...new Set(names)].filter(name => !this.#held.has(name))
    for (const name of wanted) this.#mustHave(name)
    const { columns, loading } = this.#shared
    const absent = wanted.filter(name => !columns.has(name) && !loading.has(name))
    // A few at a time, so that the decoder never holds the whole table; a list by itself, since it stays as it was read.
    const scalars = absent.filter(name => !this.lists.includes(name))
    const atOnce = Math.max(1, Math.floor(bytesAtOnce / (usualValue * Math.max(1, this.rows))))
    for (let start = 0; start < scalars.length; start += atOnce) this.#read(scalars.slice(start, start + atOnce))
    for (const name of absent) if (this.lists.includes(name)) this.#read([name])
    await Promise.all(
      wanted.map(async name => {
        const column = columns.get(name) ?? (await loading.get(name)!)
        columns.delete(name)
        columns.set(name, column)
        this.#held.set(name, column)
      }),
    )
    this.#forget()
    return this
  }

  /** Reads columns once those before them are made, so that what was read for one gives room to the next. */
  #read(names: readonly string[]): void {
    const { loading } = this.#shared
    const made = turn.then(async () => {
      const read = await readArrow(this.path, { columns: names, schema: this.schema, again: true })
      passed += names.reduce((sum, name) => sum + read.getChild(name)!.byteLength, 0)
      return new Map(names.map(name => [name, columnOf(read.getChild(name)!)]))
    })
    turn = made.then(
      () => {
        if (passed <= mostPassed) return
        passed = 0
        collectGarbage()
      },
      () => undefined,
    )
    for (const name of names) {
      const column = made.then(columns => columns.get(name)!)
      loading.set(name, column)
      const done = () => loading.delete(name)
      column.then(done, done)
    }
  }

  /** Lets go of columns that were asked for longest ago and that this view has not. */
  #forget(): void {
    const { columns, keptBytes } = this.#shared
    let bytes = [...columns.values()].reduce((sum, column) => sum + column.bytes, 0)
    for (const [name, column] of columns) {
      if (bytes <= keptBytes) return
      if (this.#held.has(name)) continue
      columns.delete(name)
      bytes -= column.bytes
    }
  }

  /** Bytes of the columns that are kept, with what was made of them for conditions and orders. */
  get bytes(): number {
    let bytes = 0
    for (const column of this.#shared.columns.values()) bytes += column.bytes
    for (const order of this.orders.values()) bytes += order.byteLength
    return bytes
  }

  kind(name: string): ColumnKind {
    const type = this.typeOf(name)
    if (arrow.DataType.isList(type)) return 'list'
    if (arrow.DataType.isBool(type)) return 'boolean'
    return arrow.DataType.isFloat(type) || arrow.DataType.isInt(type) ? 'number' : 'text'
  }

  /** The Arrow type of a column as the file has it; a `UserError` where there is none of this name. */
  typeOf(name: string): arrow.DataType {
    this.#mustHave(name)
    return this.#shared.info.types.get(name)!
  }

  /** Rows without a value in a column, which need not be loaded. */
  async missing(name: string): Promise<number> {
    const { columns, missing } = this.#shared
    const known = columns.get(name)?.missing ?? missing.get(name)
    if (known !== undefined) return known
    let found = 0
    await scanTable(this.path, { columns: [name], schema: this.schema }, batch => {
      found += batch.getChild(name)!.nullCount
    })
    missing.set(name, found)
    return found
  }

  /** A loaded column as conditions see it: lists are texts with spaces between their entries. */
  column(name: string): FilterColumn {
    return this.#loaded(name).filter()
  }

  /** A row as an object of the columns named, all of them loaded. */
  row(row: number, names: readonly string[]): Row {
    return Object.fromEntries(names.map(name => [name, this.#loaded(name).get(row)]))
  }

  /** Rows in the order given, with the columns named: of those that are not loaded these rows alone are read. */
  async records(rows: ArrayLike<number>, names: readonly string[] = this.names): Promise<Row[]> {
    for (const name of names) this.#mustHave(name)
    const { columns } = this.#shared
    const held = new Map(
      names.flatMap(name => {
        const column = this.#held.get(name) ?? columns.get(name)
        return column ? [[name, column] as const] : []
      }),
    )
    const absent = names.filter(name => !held.has(name))
    const read = absent.length > 0 ? await this.#rowsOf(rows, absent) : undefined
    return Array.from(rows, row =>
      Object.fromEntries(
        names.map(name => {
          const column = held.get(name)
          return [name, column ? column.get(row) : read!.get(row)![name]]
        }),
      ),
    )
  }

  /** Rows by number, read from the parts of row groups that span them. */
  async #rowsOf(rows: ArrayLike<number>, names: readonly string[]): Promise<ReadonlyMap<number, Row>> {
    const sorted = Int32Array.from(rows).sort()
    const found = new Map<number, Row>()
    let start = 0
    let place = 0
    for (const [group, size] of this.#shared.info.rowGroups.entries()) {
      const end = start + size
      const first = place
      while (place < sorted.length && sorted[place]! < end) place++
      if (place > first) {
        const offset = sorted[first]! - start
        const limit = sorted[place - 1]! - start - offset + 1
        const part = { columns: names, rowGroups: [group], offset, limit }
        const table = await readArrow(this.path, { ...part, schema: this.schema, again: true })
        const vectors = names.map(name => [name, table.getChild(name)!] as const)
        for (const row of sorted.subarray(first, place))
          found.set(
            row,
            Object.fromEntries(vectors.map(([name, all]) => [name, plainValue(all.get(row - start - offset))])),
          )
      }
      start = end
    }
    return found
  }

  /** Rows as an Arrow table with the types of the file. */
  async take(rows: Int32Array, names: readonly string[]): Promise<arrow.Table> {
    const records = await this.records(rows, names)
    return new arrow.Table(
      Object.fromEntries(
        names.map(name => {
          const type = this.typeOf(name)
          const isLong = arrow.DataType.isInt(type) && type.bitWidth === 64
          const values = records.map(record => (isLong ? longOf(record[name]) : record[name]))
          return [name, arrow.vectorFromArray(values, type)]
        }),
      ),
    )
  }

  #loaded(name: string): Column {
    const column = this.#held.get(name)
    if (!column) throw new Error(`The column ${name} of ${this.path} was not loaded.`)
    return column
  }

  #mustHave(name: string): void {
    if (!this.names.includes(name))
      throw new UserError(`There is no column ${quoted(name)}.`, {
        fix: `Did you mean ${nearest(name, this.names, 3).join(', ')}?`,
      })
  }
}

const longOf = (value: unknown) => (typeof value === 'number' ? BigInt(value) : null)
