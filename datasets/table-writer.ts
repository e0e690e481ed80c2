/** A table that is written a piece at a time, so that one larger than memory can be: the file is whole or absent all the same. */
import type * as parquet from 'parquet-wasm'
import { writeAtomic } from '../core/files.ts'
import { encoder } from './parquet-encoder.ts'
import { arrowColumns, type Column, encoderTable, propertiesOf, type TableOptions } from './tables.ts'

/** Takes rows of a table in order. Every piece has the same columns, and declares the same of them nullable. */
export interface TableWriter {
  /** Adds rows; resolves when there is room for more. Throws where the file cannot be written. */
  push(columns: Readonly<Record<string, Column>>): Promise<void>
  /** Ends the file, which is at its place then. A table of no rows needs one piece without any. */
  close(): Promise<void>
  /** Gives the file up: nothing is left of it. */
  abandon(): Promise<void>
}

/** Starts a table at `path`. Equal rows give equal bytes for equal pieces. */
export function openTableWriter(path: string, options: TableOptions = {}): TableWriter {
  const { readable, writable } = new TransformStream<parquet.RecordBatch, parquet.RecordBatch>()
  const writer = writable.getWriter()
  let closed = false
  /** The encoder ends a file as if it were whole where its rows break off: it is whole only where it was closed. */
  async function* bytes(): AsyncGenerator<Uint8Array> {
    const stream = await encoder().transformParquetStream(readable, propertiesOf(options))
    yield* stream as unknown as AsyncIterable<Uint8Array>
    if (!closed) throw new Error('The table was given up.')
  }
  const written = writeAtomic(path, bytes())
  // Whoever pushes or closes learns of the fault; before that it is nobody's.
  written.catch(() => {})
  /** What is done on the stream, or the fault of the file where that is first. */
  const orFault = (work: Promise<void>) => Promise.race([work, written.then(() => work)])
  return {
    async push(columns) {
      const { fields, data, rows } = arrowColumns(columns)
      for (const batch of encoderTable(fields, data, rows).recordBatches()) await orFault(writer.write(batch))
    },
    async close() {
      closed = true
      await orFault(writer.close())
      await written
    },
    async abandon() {
      await writer.abort(new Error('The table was given up.')).catch(() => {})
      await written.catch(() => {})
    },
  }
}
