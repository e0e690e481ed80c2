/** Rows of a table held as columns: filtered, sorted and cut, without touching those that are not shown. */
import { UserError } from '../../core/errors.ts'
import { nearest } from '../../core/nearest.ts'

export type Columns = Readonly<Record<string, readonly unknown[]>>

/** Which rows are asked for. */
export interface Selection {
  /** Conditions that all must hold: `density>=0.001`, `verdict=pass`, `label~apple`. */
  readonly where: readonly string[]
  /** A column, with `-` before it for the largest first. */
  readonly sort?: string | undefined
  readonly offset: number
  readonly limit: number
}

/** Row numbers of a page, and how many rows fulfil the conditions. */
export interface Page {
  readonly rows: readonly number[]
  readonly total: number
}

const condition = /^\s*([A-Za-z_]+)\s*(<=|>=|!=|=|<|>|~)\s*(.*?)\s*$/

/** The rows asked for. A `UserError` for a column that is not there, or a condition that is none. */
export function select(columns: Columns, { where, sort, offset, limit }: Selection): Page {
  const length = Object.values(columns)[0]?.length ?? 0
  const tests = where.map(text => testOf(columns, text))
  const found: number[] = []
  for (let row = 0; row < length; row++) if (tests.every(test => test(row))) found.push(row)
  if (sort !== undefined) order(columns, sort, found)
  return { rows: found.slice(offset, offset + limit), total: found.length }
}

function column(columns: Columns, name: string): readonly unknown[] {
  if (Object.hasOwn(columns, name)) return columns[name]!
  throw new UserError(`There is no column ${JSON.stringify(name)}.`, {
    fix: `Did you mean ${nearest(name, Object.keys(columns), 3).join(', ')}?`,
  })
}

function testOf(columns: Columns, text: string): (row: number) => boolean {
  const parts = condition.exec(text)
  if (!parts)
    throw new UserError(`${JSON.stringify(text)} is no condition.`, {
      fix: 'Write a column, one of = != < > <= >= ~ (contains), and a value: density>=0.001.',
    })
  const [, name, operator, value] = parts as unknown as [string, string, string, string]
  const values = column(columns, name)
  if (operator === '~') {
    const wanted = value.toLowerCase()
    return row => textOf(values[row]).toLowerCase().includes(wanted)
  }
  if (operator === '=' || operator === '!=') {
    const holds = (row: number) => (value === 'null' ? values[row] === null : textOf(values[row]) === value)
    return operator === '=' ? holds : row => !holds(row)
  }
  const bound = Number(value)
  if (value === '' || !Number.isFinite(bound))
    throw new UserError(`${JSON.stringify(value)} in ${JSON.stringify(text)} is no number.`)
  const compare = {
    '<': (x: number) => x < bound,
    '>': (x: number) => x > bound,
    '<=': (x: number) => x <= bound,
    '>=': (x: number) => x >= bound,
  }
  const holds = compare[operator as keyof typeof compare]
  // What is missing is neither small nor large.
  return row => typeof values[row] === 'number' && holds(values[row] as number)
}

function textOf(value: unknown): string {
  return value === null || value === undefined ? '' : Array.isArray(value) ? value.join(' ') : String(value)
}

/** Sorts row numbers by a column; what is missing comes last either way, and equals stay in the table's order. */
function order(columns: Columns, sort: string, rows: number[]): void {
  const down = sort.startsWith('-')
  const values = column(columns, down ? sort.slice(1) : sort)
  const sign = down ? -1 : 1
  rows.sort((a, b) => {
    const [x, y] = [values[a], values[b]] as [number | string | null, number | string | null]
    if (x === null || y === null) return x === y ? a - b : x === null ? 1 : -1
    return x < y ? -sign : x > y ? sign : a - b
  })
}

/** A row as an object. */
export function rowOf(columns: Columns, row: number): Record<string, unknown> {
  return Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[row]]))
}
