/** Encodes a shard: the columns of some rows as an Arrow IPC file, or as Parquet for other tools. */
import * as arrow from 'apache-arrow'
import { encodeArrow } from '../tables.ts'

/** Activations of one site: [rows, width], row by row. */
export interface SiteColumn {
  readonly name: string
  readonly width: number
  /** float32 numbers, or the bits of float16 ones. */
  readonly values: Float32Array | Uint16Array
}

/** The rows of a shard. All columns have the same number of them. */
export interface ShardColumns {
  readonly document: Uint32Array
  readonly position: Uint16Array
  readonly token: Int32Array
  readonly stratum: Uint16Array
  readonly weight: Float32Array
  readonly sites: readonly SiteColumn[]
}

/** Types of the columns that stand before the sites, in order. */
const rowColumns = [
  ['document', new arrow.Uint32()],
  ['position', new arrow.Uint16()],
  ['token', new arrow.Int32()],
  ['stratum', new arrow.Uint16()],
  ['weight', new arrow.Float32()],
] as const

/**
 * The bytes of an uncompressed Arrow IPC file with record batches of `batchRows` rows (the last may be shorter): every
 * batch but the last has the same layout, so a row's place can be computed. They come in pieces, of which the large ones are
 * the columns' own memory.
 */
export async function encodeShard(columns: ShardColumns, batchRows: number): Promise<Uint8Array[]> {
  const fields = fieldsOf(columns)
  const schema = new arrow.Schema(fields, new Map([['schema', '1']]))
  const batches: arrow.RecordBatch[] = []
  const rows = columns.document.length
  for (let start = 0; start < rows; start += batchRows) {
    const length = Math.min(batchRows, rows - start)
    const children = dataOf(columns, start, length)
    const struct = arrow.makeData({ type: new arrow.Struct(fields), length, nullCount: 0, children })
    batches.push(new arrow.RecordBatch(schema, struct))
  }
  const writer = new arrow.RecordBatchFileWriter()
  writer.reset(undefined, schema)
  for (const batch of batches) writer.write(batch)
  const pieces: Uint8Array[] = []
  for await (const piece of writer.finish()) pieces.push(piece)
  return pieces
}

/** The bytes of a Parquet file with the same columns, a row group a batch. */
export function encodeParquetShard(columns: ShardColumns, batchRows: number): Uint8Array {
  const rows = columns.document.length
  // Floats do not repeat, so a dictionary would only cost time.
  return encodeArrow(fieldsOf(columns), dataOf(columns, 0, rows), rows, { rowGroupRows: batchRows, dictionary: false })
}

function fieldsOf({ sites }: ShardColumns): arrow.Field[] {
  return [
    ...rowColumns.map(([name, type]) => new arrow.Field(name, type, false)),
    ...sites.map(({ name, width, values }) => new arrow.Field(name, siteType(width, values), false)),
  ]
}

function siteType(width: number, values: Float32Array | Uint16Array): arrow.FixedSizeList {
  const type = values instanceof Float32Array ? new arrow.Float32() : new arrow.Float16()
  return new arrow.FixedSizeList(width, new arrow.Field('item', type, false))
}

function dataOf(columns: ShardColumns, start: number, length: number): arrow.Data[] {
  return [
    ...rowColumns.map(([name, type]) =>
      arrow.makeData({
        type: type as arrow.Float32,
        data: columns[name].subarray(start, start + length) as Float32Array,
      }),
    ),
    ...columns.sites.map(({ width, values }) => {
      const type = siteType(width, values)
      const data = values.subarray(start * width, (start + length) * width) as Float32Array
      const child = arrow.makeData({ type: type.children[0]!.type as arrow.Float32, data })
      return arrow.makeData({ type, length, nullCount: 0, child })
    }),
  ]
}
