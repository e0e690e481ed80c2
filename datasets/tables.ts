/**
 * Tables on disk: Parquet files with named, typed columns, written whole or not at all.
 *
 * Values become Arrow columns (`columns.ts`), and parquet-wasm encodes them
 * (Snappy or Zstandard, dictionary where it helps). Every table holds an integer `schema` in its metadata; a reader refuses a
 * version that it does not know. Metadata is one JSON object under the key `pipeline`: the encoder keeps several keys
 * in an order of its own choosing, which would make equal tables differ in bytes.
 */
import * as arrow from 'apache-arrow'
import type * as parquet from 'parquet-wasm'
import { z } from 'zod'
import { messageOf, UserError } from '../core/errors.ts'
import { writeAtomic } from '../core/files.ts'
import { canonicalJson } from '../core/hash.ts'
import { quote } from '../core/quote.ts'
import { type Column, fromArrow, toArrow } from './columns.ts'
import { encoder } from './parquet-encoder.ts'
import { openParquet } from './parquet-file.ts'
import { type OpenedParquet, type ParquetFooter, type ParquetReadOptions, withParquet } from './parquet-reader.ts'

export { type Column, plainValue } from './columns.ts'

export interface TableOptions {
  /** Rows of a row group, the unit that can be read alone; default 65,536. */
  rowGroupRows?: number
  /** Free text by key, beside `schema`. */
  metadata?: Readonly<Record<string, string>>
  /** Version of the table's columns; default 1. */
  schema?: number
  /** Snappy, which every reader has, by default; Zstandard takes about a sixth less room for lists of tokens and numbers. */
  compression?: 'snappy' | 'zstd'
  /** Dictionary encoding of repeated values; default true. Some old readers want it off. */
  dictionary?: boolean
}

export interface ReadTableOptions {
  /** Only these columns. */
  columns?: readonly string[]
  /** Only these row groups. */
  rowGroups?: readonly number[]
  /** Only rows from `offset`, at most `limit`. */
  offset?: number
  limit?: number
  /** Version of the columns that the caller understands; default 1. */
  schema?: number
  /** Whether the decoder keeps the table's footer, for whoever asks about the same file again soon; default false. */
  again?: boolean
}

/** What a table's footer says. */
export interface TableInfo {
  readonly rows: number
  /** Rows of each row group. */
  readonly rowGroups: readonly number[]
  readonly columns: readonly string[]
  /** The Arrow type of each. */
  readonly types: ReadonlyMap<string, arrow.DataType>
  /** Those of them that hold lists. */
  readonly lists: readonly string[]
  readonly schema: number
  readonly metadata: Readonly<Record<string, string>>
}

/** Writes columns of equal length as a Parquet file. Equal input gives equal bytes. */
export async function writeTable(
  path: string,
  columns: Readonly<Record<string, Column>>,
  options: TableOptions = {},
): Promise<void> {
  await writeAtomic(path, encodeTable(columns, options))
}

/** The bytes of a Parquet file with these columns; throws when columns differ in length. */
export function encodeTable(columns: Readonly<Record<string, Column>>, options: TableOptions = {}): Uint8Array {
  const { fields, data, rows } = arrowColumns(columns)
  return encodeArrow(fields, data, rows, options)
}

/** Columns of equal length as Arrow arrays; throws where they differ in length. */
export function arrowColumns(columns: Readonly<Record<string, Column>>): {
  readonly fields: readonly arrow.Field[]
  readonly data: readonly arrow.Data[]
  readonly rows: number
} {
  const entries = Object.entries(columns)
  const rows = entries[0]?.[1].values.length ?? 0
  for (const [name, column] of entries) {
    if (column.values.length !== rows)
      throw new Error(`Column ${name} has ${column.values.length} values, but the table has ${rows} rows.`)
  }
  const data = entries.map(([name, column]) => toArrow(column, name))
  const fields = entries.map(
    ([name, column], i) => new arrow.Field(name, data[i]!.type, column.nullable === true || data[i]!.nullCount > 0),
  )
  return { fields, data, rows }
}

/** The bytes of a Parquet file with Arrow columns that the caller made. */
export function encodeArrow(
  fields: readonly arrow.Field[],
  data: readonly arrow.Data[],
  rows: number,
  options: TableOptions,
): Uint8Array {
  return encoder().writeParquet(encoderTable(fields, data, rows), propertiesOf(options))
}

/** Arrow columns in the encoder's own memory. */
export function encoderTable(fields: readonly arrow.Field[], data: readonly arrow.Data[], rows: number): parquet.Table {
  const schema = new arrow.Schema([...fields])
  const type = new arrow.Struct([...fields])
  const struct = arrow.makeData({ type, length: rows, nullCount: 0, children: [...data] })
  const stream = arrow.tableToIPC(new arrow.Table(schema, new arrow.RecordBatch(schema, struct)), 'stream')
  return encoder().Table.fromIPCStream(stream)
}

/** How the encoder is to write a table. */
export function propertiesOf({
  rowGroupRows = 65_536,
  metadata = {},
  schema = 1,
  compression = 'snappy',
  dictionary = true,
}: TableOptions): parquet.WriterProperties {
  const parquet = encoder()
  return new parquet.WriterPropertiesBuilder()
    .setCompression(compression === 'zstd' ? parquet.Compression.ZSTD : parquet.Compression.SNAPPY)
    .setMaxRowGroupSize(rowGroupRows)
    .setDictionaryEnabled(dictionary)
    .setCreatedBy('pipeline')
    .setKeyValueMetadata(new Map([['pipeline', canonicalJson({ ...metadata, schema })]]))
    .build()
}

/**
 * Reads a table: values by column name. Numbers and 64-bit integers come back as numbers, lists as arrays, missing
 * values as null. Throws a `UserError` for a file that is absent, not Parquet, or of another schema version.
 */
export async function readTable(path: string, options: ReadTableOptions = {}): Promise<Record<string, unknown[]>> {
  const table = await readArrow(path, options)
  const names = options.columns ?? table.schema.fields.map(field => field.name)
  return Object.fromEntries(names.map(name => [name, fromArrow(table.getChild(name)!)]))
}

/** Reads a table as Arrow columns; errors as of `readTable`. */
export async function readArrow(path: string, options: ReadTableOptions = {}): Promise<arrow.Table> {
  return openKnown(path, options, (read, { read: whole }) => whole(read))
}

/** Reads a table at most 65,536 rows at a time, in order, so that one larger than memory can be; errors as of `readTable`. */
export async function scanTable(
  path: string,
  options: Pick<ReadTableOptions, 'columns' | 'schema'>,
  take: (batch: arrow.Table) => void,
): Promise<void> {
  await openKnown(path, options, async (read, { batches }, { rowGroups }) => {
    // The decoder holds the packed columns of what it is asked for.
    for (const group of rowGroups.keys())
      for await (const batch of batches({ ...read, rowGroups: [group] })) take(batch)
  })
}

/** Opens a table whose version and columns are those that the caller knows. */
function openKnown<T>(
  path: string,
  { schema = 1, again = false, ...options }: ReadTableOptions,
  use: (read: ParquetReadOptions, file: OpenedParquet, info: TableInfo) => Promise<T>,
): Promise<T> {
  return openTable(
    path,
    async (info, file) => {
      if (info.schema !== schema)
        throw new UserError(`The table ${path} has schema ${info.schema}, but this version reads schema ${schema}.`, {
          fix: 'Read it with the version that wrote it, or make it again with this one.',
        })
      for (const name of options.columns ?? []) {
        if (!info.columns.includes(name))
          throw new UserError(`The table ${path} has no column ${name}; it has ${info.columns.join(', ')}.`)
      }
      const { columns, rowGroups, offset, limit } = options
      try {
        return await use(
          {
            batchSize: 65_536,
            ...(columns && { columns }),
            ...(rowGroups && { rowGroups }),
            ...(offset !== undefined && { offset }),
            ...(limit !== undefined && { limit }),
          },
          file,
          info,
        )
      } catch (error) {
        if (error instanceof UserError) throw error
        throw new UserError(`The table ${path} cannot be read: ${oneLine(error)}.`, {
          fix: 'Make it again.',
          cause: error,
        })
      }
    },
    again,
  )
}

/** Reads a table's footer: rows, row groups, columns, schema version and metadata. */
export async function readTableInfo(path: string): Promise<TableInfo> {
  return openTable(path, async info => info)
}

/** What our tables hold under the key `pipeline`. */
const OwnMetadata = z.object({ schema: z.int() }).catchall(z.string())

async function openTable<T>(
  path: string,
  use: (info: TableInfo, file: OpenedParquet) => Promise<T>,
  again = false,
): Promise<T> {
  const fail = (why: string, cause?: unknown) =>
    new UserError(`The table ${path} is not a whole Parquet file: ${why}.`, { fix: 'Make it again.', cause })
  const opened = await openParquet(path, 'table')
  try {
    if (!opened.whole) throw fail('its marks are missing')
    return await withParquet(opened.handle, opened.size, file => use(infoOf(path, file.footer), file), { again })
  } catch (error) {
    throw error instanceof UserError ? error : fail(oneLine(error), error)
  } finally {
    await opened.handle.close()
  }
}

function infoOf(path: string, footer: ParquetFooter): TableInfo {
  const text = footer.metadata.get('pipeline')
  if (text === undefined)
    throw new UserError(`The table ${path} was not written by pipeline: its metadata has no key pipeline.`)
  const { schema, ...metadata } = ownMetadata(path, text)
  const { fields } = arrow.tableFromIPC(footer.schema).schema
  return {
    rows: footer.rows,
    rowGroups: footer.rowGroups,
    columns: fields.map(({ name }) => name),
    types: new Map(fields.map(({ name, type }) => [name, type])),
    lists: fields.filter(({ type }) => arrow.DataType.isList(type)).map(({ name }) => name),
    schema,
    metadata,
  }
}

function ownMetadata(path: string, text: string): { schema: number } & Record<string, string> {
  try {
    return OwnMetadata.parse(JSON.parse(text)) as { schema: number } & Record<string, string>
  } catch (cause) {
    throw new UserError(`The table ${path} is damaged: its metadata is not what pipeline writes (${quote(text)}).`, {
      fix: 'Make it again.',
      cause,
    })
  }
}

/** What a decoder says, which may go over lines. */
function oneLine(error: unknown): string {
  return messageOf(error)
    .replace(/[\p{C}\p{Z}]+/gu, ' ')
    .replace(/\.$/, '')
    .slice(0, 300)
}
