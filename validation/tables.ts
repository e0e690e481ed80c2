/** Tables of rows beside evidence.json, and selectivity.parquet among them; `effects-table.ts` has the large one. */
import { join } from 'node:path'
import type { ColumnValues } from '../datasets/columns.ts'
import { type Column, readTable, writeTable } from '../datasets/tables.ts'
import type { SelectivityRow } from './rows.ts'

/** What is measured of a latent on a document under one direction. */
export const measuredColumns = {
  intervention: 'string',
  dose: 'float64',
  control: 'string',
  controlId: 'int32?',
  document: 'string',
  window: 'string',
  positions: 'int32',
  norm: 'float64',
  target: 'float64',
  loss: 'float64?',
  kl: 'float64?',
} as const

/** Columns of a table of rows, by the row's keys: a type, with `?` where the value may be missing. */
export type RowColumns = Readonly<Record<string, ColumnValues['type'] | `${ColumnValues['type']}?`>>

/** Parquet names: words joined by underscores, as in other tables. */
export const nameOf = (key: string) => key.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)

const isNullable = (type: string) => type.endsWith('?')

/** Writes rows as a table with these columns. */
export async function writeRows(
  path: string,
  columns: RowColumns,
  rows: readonly Readonly<Record<string, unknown>>[],
  schema = 1,
): Promise<void> {
  await writeTable(path, columnsOf(columns, rows), { schema })
}

/** Rows as columns of a table. */
export function columnsOf<Row>(
  columns: Readonly<Record<keyof Row & string, RowColumns[string]>>,
  rows: readonly Row[],
): Readonly<Record<string, Column>> {
  const keys = Object.keys(columns) as (keyof Row & string)[]
  const made = keys.map(key => {
    const type = columns[key]
    return [
      nameOf(key),
      { type: type.replace('?', ''), values: rows.map(row => row[key]), nullable: isNullable(type) },
    ] as const
  })
  return Object.fromEntries(made) as Record<string, Column>
}

/** Reads rows back that `writeRows` wrote with these columns; throws a `UserError` for a table that has others. */
export async function readRows<Row>(path: string, columns: RowColumns, schema = 1): Promise<Row[]> {
  const keys = Object.keys(columns)
  const table = await readTable(path, { schema, columns: keys.map(nameOf) })
  const length = table[nameOf(keys[0]!)]?.length ?? 0
  const plain = (value: unknown) => (ArrayBuffer.isView(value) ? Array.from(value as Float32Array) : value)
  return Array.from(
    { length },
    (_, i) => Object.fromEntries(keys.map(key => [key, plain(table[nameOf(key)]![i])])) as Row,
  )
}

/** Writes selectivity.parquet: a row per feature and validation window, with active positions and labelled positions. */
export async function writeSelectivity(directory: string, rows: readonly SelectivityRow[]): Promise<void> {
  await writeTable(join(directory, 'selectivity.parquet'), {
    feature: { type: 'int32', values: rows.map(row => row.feature) },
    document: { type: 'string', values: rows.map(row => row.document) },
    window: { type: 'string', values: rows.map(row => row.window) },
    tokens: { type: 'int32', values: rows.map(row => row.tokens) },
    positions: { type: 'list<int32>', values: rows.map(row => row.positions) },
    activations: { type: 'list<float32>', values: rows.map(row => row.activations) },
    labelled: { type: 'list<int32>', values: rows.map(row => row.labelled) },
  })
}

/** Reads selectivity.parquet back. */
export async function readSelectivity(directory: string): Promise<SelectivityRow[]> {
  const table = await readTable(join(directory, 'selectivity.parquet'))
  const list = (value: unknown) => Array.from(value as ArrayLike<number>)
  return (table.feature ?? []).map((feature, i) => ({
    feature: feature as number,
    document: table.document![i] as string,
    window: table.window![i] as string,
    tokens: table.tokens![i] as number,
    positions: list(table.positions![i]),
    activations: list(table.activations![i]),
    labelled: list(table.labelled![i]),
  }))
}
