/**
 * The table beside the shards that says which text their rows are of: a row for each run of a document's tokens in a window,
 * so that a shard's `document` and `position` lead back to the source's documents.
 */
import { sha256 } from '../core/hash.ts'
import type { TokenDataset } from '../datasets/document.ts'
import type { WindowsRecord } from '../datasets/shards/index.ts'
import { type Column, encodeTable } from '../datasets/tables.ts'

const windowsFile = 'windows.parquet'

/** The table of all windows of a dataset, held-out ones included, and what the manifest says of it. */
export function encodeWindows(dataset: TokenDataset): { bytes: Uint8Array; record: WindowsRecord } {
  const pieces = dataset.windows.flatMap(({ index, id, split, tokens, documents, offsets }) => {
    const starts: number[] = []
    for (let p = 0; p < tokens.length; p++)
      if (p === 0 || documents[p] !== documents[p - 1] || offsets[p] !== offsets[p - 1]! + 1) starts.push(p)
    return starts.map((position, i) => ({
      index,
      id,
      split,
      document: dataset.documents[documents[position]!]!,
      position,
      length: (starts[i + 1] ?? tokens.length) - position,
      offset: offsets[position]!,
    }))
  })
  const columns: Record<string, Column> = {
    document: { type: 'uint32', values: pieces.map(({ index }) => index) },
    window: { type: 'string', values: pieces.map(({ id }) => id) },
    split: { type: 'string', values: pieces.map(({ split }) => split) },
    source: { type: 'string', values: pieces.map(({ document }) => document.id) },
    position: { type: 'int32', values: pieces.map(({ position }) => position) },
    length: { type: 'int32', values: pieces.map(({ length }) => length) },
    offset: { type: 'int32', values: pieces.map(({ offset }) => offset) },
  }
  const fields = [...new Set(dataset.documents.flatMap(({ strata }) => Object.keys(strata)))].sort()
  for (const field of fields) {
    const values = pieces.map(({ document }) => document.strata[field] ?? null)
    columns[`strata.${field}`] = { type: 'string', values }
  }
  const bytes = encodeTable(columns)
  return { bytes, record: { file: windowsFile, rows: pieces.length, bytes: bytes.length, sha256: sha256(bytes) } }
}
