/** Rows of a capture by document: which documents there are, and the mean activation of each in each stratum. */
import { join } from 'node:path'
import { uniformOf } from '../../core/random.ts'
import { breathe } from '../../core/stage.ts'
import { readTable } from '../tables.ts'
import type { Capture, RowColumns } from './reader.ts'

/** Rows of one document. */
export interface DocumentRows {
  readonly document: string
  readonly rows: readonly number[]
}

/**
 * The document of each window, by the window's index: the source that most of its tokens are of. Captures of schema 1 do not
 * say, and have windows only.
 */
export async function windowDocuments({ directory, manifest }: Capture): Promise<(window: number) => string> {
  if (!manifest.windows) return window => `window ${window}`
  const table = await readTable(join(directory, manifest.windows.file))
  const [windows, sources, lengths] = [table.document!, table.source!, table.length!] as [number[], string[], number[]]
  const most = new Map<number, { source: string; length: number }>()
  windows.forEach((window, i) => {
    const length = lengths[i]!
    const known = most.get(window)
    if (!known || length > known.length) most.set(window, { source: sources[i]!, length })
  })
  return window => most.get(window)?.source ?? `window ${window}`
}

/** Which rows of which documents stand for a set of strata; null for all rows. */
export type Chosen = readonly DocumentRows[]

/**
 * The rows of at most `most` documents in each of the sets of strata: those of least hash, so that two captures of the same
 * text choose the same ones. Only rows that are `kept` count.
 */
export async function documentsOf(
  columns: Pick<RowColumns, 'document' | 'stratum'>,
  documentOf: (window: number) => string,
  sets: readonly (ReadonlySet<number> | null)[],
  { most, kept }: { readonly most: number; readonly kept: (row: number) => boolean },
): Promise<Chosen[]> {
  const found = sets.map(() => new Map<string, number[]>())
  for (let row = 0; row < columns.document.length; row++) {
    if (row % 65_536 === 0) await breathe()
    if (!kept(row)) continue
    const document = documentOf(columns.document[row]!)
    for (const [i, set] of sets.entries()) {
      if (set && !set.has(columns.stratum[row]!)) continue
      const rows = found[i]!.get(document)
      if (rows) rows.push(row)
      else found[i]!.set(document, [row])
    }
  }
  return found.map(documents =>
    [...documents]
      .map(([document, rows]) => ({ document, rows, rank: uniformOf('drift', document) }))
      .sort((x, y) => x.rank - y.rank || (x.document < y.document ? -1 : 1))
      .slice(0, most)
      .map(({ document, rows }) => ({ document, rows })),
  )
}

/** Weighted mean [width] and mean norm of a document's rows. */
export interface DocumentMean {
  readonly document: string
  readonly mean: Float64Array
  readonly norm: number
}

/** The means of chosen documents at a site, rows counted by their weights. */
export async function documentMeans(
  capture: Capture,
  site: string,
  weightOf: (row: number) => number,
  chosen: Chosen,
): Promise<DocumentMean[]> {
  const means: DocumentMean[] = []
  for (const { document, rows } of chosen) {
    const values = await capture.read(site, rows)
    const width = values.length / rows.length
    const mean = new Float64Array(width)
    let [weights, norms] = [0, 0]
    rows.forEach((row, i) => {
      const w = weightOf(row)
      let squares = 0
      for (let j = 0; j < width; j++) {
        const value = values[i * width + j]!
        mean[j]! += w * value
        squares += value * value
      }
      weights += w
      norms += w * Math.sqrt(squares)
    })
    means.push({ document, mean: mean.map(sum => sum / weights), norm: norms / weights })
    await breathe()
  }
  return means
}
