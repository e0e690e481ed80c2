/**
 * The table beside the shards that says which text their rows are of: a row for each run of a document's tokens in a window,
 * so that a shard's `document` and `position` lead back to the source's documents.
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256File } from '../core/hash.ts'
import { paced } from '../core/pace.ts'
import { Passes } from '../core/passes.ts'
import type { DocumentFacts, TokenDataset, TokenWindow } from '../datasets/document.ts'
import { fieldsOf } from '../datasets/fields.ts'
import type { WindowsRecord } from '../datasets/shards/index.ts'
import { openTableWriter } from '../datasets/table-writer.ts'
import type { Column } from '../datasets/tables.ts'

const windowsFile = 'windows.parquet'
/** Rows that are held before they are written: a row group. */
const pieceRows = 8192

/** A run of a document's tokens in a window. */
interface Run {
  readonly window: TokenWindow
  readonly document: DocumentFacts
  readonly position: number
  readonly length: number
}

/**
 * Writes the table of all windows of a dataset, held-out ones included, and gives what the manifest says of it. No table is
 * left where `passes` end the work.
 */
export async function writeWindows(
  directory: string,
  dataset: TokenDataset,
  passes = new Passes(),
): Promise<WindowsRecord> {
  const path = join(directory, windowsFile)
  const fields = await nullableFields(dataset, passes)
  const writer = openTableWriter(path)
  let rows = 0
  try {
    let runs: Run[] = []
    for await (const window of paced(dataset.windows, passes.over(dataset.windows.length, 'windows', 'Listing'))) {
      for (const run of runsOf(window, dataset)) {
        if (runs.length === pieceRows) {
          await writer.push(columnsOf(runs, fields))
          runs = []
        }
        runs.push(run)
        rows++
      }
    }
    await writer.push(columnsOf(runs, fields))
    await writer.close()
  } catch (error) {
    await writer.abandon()
    throw error
  }
  return { file: windowsFile, rows, bytes: (await stat(path)).size, sha256: await sha256File(path) }
}

/** The fields that any document has, sorted, and whether a document in a window lacks them. */
async function nullableFields(dataset: TokenDataset, passes: Passes): Promise<ReadonlyMap<string, boolean>> {
  const isNullable = new Map(
    (await fieldsOf(dataset, passes.over(dataset.documents.length, 'documents', 'Reading fields'))).map(field => [
      field,
      false,
    ]),
  )
  let left = [...isNullable.keys()]
  const known = new Uint8Array(dataset.documents.length)
  for await (const { documents } of paced(
    dataset.windows,
    passes.over(dataset.windows.length, 'windows', 'Reading fields'),
  )) {
    if (left.length === 0) break
    for (const document of documents) {
      if (known[document]) continue
      known[document] = 1
      const { strata } = dataset.documents.at(document)!
      for (const field of left) if (strata[field] === undefined) isNullable.set(field, true)
    }
    left = left.filter(field => !isNullable.get(field))
  }
  return isNullable
}

function runsOf(window: TokenWindow, dataset: TokenDataset): Run[] {
  const { tokens, documents, offsets } = window
  const starts: number[] = []
  for (let p = 0; p < tokens.length; p++)
    if (p === 0 || documents[p] !== documents[p - 1] || offsets[p] !== offsets[p - 1]! + 1) starts.push(p)
  return starts.map((position, i) => ({
    window,
    document: dataset.documents.at(documents[position]!)!,
    position,
    length: (starts[i + 1] ?? tokens.length) - position,
  }))
}

function columnsOf(runs: readonly Run[], fields: ReadonlyMap<string, boolean>): Record<string, Column> {
  return {
    document: { type: 'uint32', values: runs.map(({ window }) => window.index) },
    window: { type: 'string', values: runs.map(({ window }) => window.id) },
    split: { type: 'string', values: runs.map(({ window }) => window.split) },
    source: { type: 'string', values: runs.map(({ document }) => document.id) },
    position: { type: 'int32', values: runs.map(({ position }) => position) },
    length: { type: 'int32', values: runs.map(({ length }) => length) },
    offset: { type: 'int32', values: runs.map(({ window, position }) => window.offsets[position]!) },
    ...Object.fromEntries(
      Array.from(fields, ([field, nullable]) => [
        `strata.${field}`,
        { type: 'string', nullable, values: runs.map(({ document }) => document.strata[field] ?? null) } as const,
      ]),
    ),
  }
}
