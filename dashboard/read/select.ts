/** Rows of a table: filtered, sorted and cut, without touching those that are not shown. */
import { columnOf, type Filterable, filterOf, type Test, wordsIn } from './filter.ts'

/** A table whose rows are chosen, and the orders of it that are known already. */
export interface Selectable extends Filterable {
  readonly rows: number
  /** Orders that were asked for, by what they are by; what is put in stays for the next question. */
  readonly orders: Map<string, Int32Array>
}

/** Which rows are asked for. */
export interface Selection {
  /** Conditions that all must hold. */
  readonly where: readonly string[]
  /** Further tests that all must hold. */
  readonly tests?: readonly Test[]
  /** A column, with `-` before it for the largest first. */
  readonly sort?: string | undefined
}

/** The columns that a selection is about, which must be loaded for it. A `UserError` for a condition that cannot be read. */
export function columnsFor(table: Selectable, { where, sort }: Pick<Selection, 'where' | 'sort'>): string[] {
  const named = new Set(where.flatMap(wordsIn))
  if (sort !== undefined) named.add(sort.replace(/^-/, ''))
  return table.names.filter(name => named.has(name))
}

/** Where rows are counted up before as many as there are get room of their own. */
let scratch = new Int32Array(0)

/** Orders of a table that are kept. */
const mostOrders = 12

/** Row numbers that are meant, all of them; not to be written to. A `UserError` for a column that is not there, or a condition that is none. */
export function select(table: Selectable, { where, tests = [], sort }: Selection): Int32Array {
  const all = [...where.map(text => filterOf(text, table)), ...tests]
  const order = sort === undefined ? undefined : orderOf(table, sort)
  if (order && all.length === 0) return order
  const holds = all.length === 1 ? all[0]! : (row: number) => all.every(test => test(row))
  if (scratch.length < table.rows) scratch = new Int32Array(table.rows)
  const found = scratch
  let count = 0
  for (let place = 0; place < table.rows; place++) {
    const row = order ? order[place]! : place
    if (holds(row)) found[count++] = row
  }
  return found.slice(0, count)
}

/** Rows by a column; what is missing comes last either way, and equals stay in the table's order. */
function orderOf(table: Selectable, sort: string): Int32Array {
  const known = table.orders.get(sort)
  if (known) {
    table.orders.delete(sort)
    table.orders.set(sort, known)
    return known
  }
  const sign = sort.startsWith('-') ? -1 : 1
  const column = columnOf(table, sign < 0 ? sort.slice(1) : sort)
  const keys = column.kind === 'number' ? column.values : ranksOf(table.rows, column.text.bind(column))
  const present: number[] = []
  const missing: number[] = []
  for (let row = 0; row < table.rows; row++) (Number.isNaN(keys[row]) ? missing : present).push(row)
  const order = Int32Array.from(present).sort((a, b) => sign * (keys[a]! - keys[b]!) || a - b)
  const found = new Int32Array(table.rows)
  found.set(order)
  found.set(missing, order.length)
  table.orders.set(sort, found)
  for (const oldest of table.orders.keys()) if (table.orders.size > mostOrders) table.orders.delete(oldest)
  return found
}

/** The place of each text among all that are there, by code units; NaN where it is missing. */
function ranksOf(rows: number, text: (row: number) => string | null): Float64Array {
  const texts = Array.from({ length: rows }, (_, row) => text(row))
  const rank = new Map(
    [...new Set(texts)]
      .filter(one => one !== null)
      .sort()
      .map((one, i) => [one, i]),
  )
  return Float64Array.from(texts, one => (one === null ? Number.NaN : rank.get(one)!))
}
