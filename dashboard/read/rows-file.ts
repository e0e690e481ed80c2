/** Rows of a table as a file to keep: CSV, JSON lines or an Arrow stream, made a piece at a time. */
import * as arrow from 'apache-arrow'
import { breathe } from '../../core/stage.ts'
import { type Cell, csvLine } from '../../labels/formats/csv.ts'
import type { Table } from './table.ts'

/** A form of such files. */
export type RowsFormat = 'csv' | 'jsonl' | 'arrow'

/** The media type of each form. */
export const rowsTypes: Readonly<Record<RowsFormat, string>> = {
  csv: 'text/csv; charset=utf-8; header=present',
  jsonl: 'application/jsonl',
  arrow: 'application/vnd.apache.arrow.stream',
}

/** Rows that are made at once; others are answered in between. */
const piece = 1000

/** The bytes of the file: these rows in this order, with the columns named, all of them loaded. Equal rows give equal bytes. */
export async function* rowsFile(
  table: Table,
  rows: Int32Array,
  names: readonly string[],
  format: RowsFormat,
): AsyncGenerator<Uint8Array> {
  if (format === 'arrow') return yield* arrowStream(table, rows, names)
  if (format === 'csv') yield Buffer.from(csvLine(names))
  for (const part of pieces(rows)) {
    const lines = Array.from(part, row => {
      const record = table.row(row, names)
      return format === 'csv' ? csvLine(Object.values(record) as Cell[]) : `${JSON.stringify(record)}\n`
    })
    yield Buffer.from(lines.join(''))
    await breathe()
  }
}

/** The mark that ends an Arrow stream. */
const endBytes = 8

/**
 * A stream of record batches with one schema: any column may miss values, whether or not it does in one of them. Each batch is
 * encoded as a stream of its own, and goes on without that one's head and end.
 */
async function* arrowStream(table: Table, rows: Int32Array, names: readonly string[]): AsyncGenerator<Uint8Array> {
  const fields = names.map(name => new arrow.Field(name, table.typeOf(name), true))
  const schema = new arrow.Schema(fields)
  const type = new arrow.Struct(fields)
  const empty = arrow.tableToIPC(new arrow.Table(schema), 'stream')
  const head = empty.length - endBytes
  yield empty.subarray(0, head)
  for (const part of pieces(rows)) {
    const taken = await table.take(part, names)
    const children = names.map(name => taken.getChild(name)!.data[0]!)
    const batch = new arrow.RecordBatch(schema, arrow.makeData({ type, length: part.length, nullCount: 0, children }))
    yield arrow.tableToIPC(new arrow.Table(schema, batch), 'stream').subarray(head, -endBytes)
    await breathe()
  }
  yield empty.subarray(head)
}

function* pieces(rows: Int32Array): Generator<Int32Array> {
  for (let start = 0; start < rows.length; start += piece) yield rows.subarray(start, start + piece)
}
