/** Documents that have more rows than they should, that have most, and that are copies of others. */
import { createHash } from 'node:crypto'
import { breathe } from '../../core/stage.ts'
import type { TokenDataset } from '../../datasets/document.ts'
import { nearDuplicateFamilies } from '../../datasets/near-duplicates.ts'
import type { CaptureAudit } from '../../datasets/shards/audit.ts'
import { upperGamma } from '../../statistics/distributions/gamma.ts'
import type { Counted } from './count.ts'

/** How many documents are listed. */
const most = 10
/** Tokens of a shingle, as where splits are kept apart. */
const shingle = 5

/**
 * The audit of the documents; `threshold` is the Jaccard index from which two are near-duplicates, 1 for equal tokens only.
 * A draw gives about a Poisson number of rows to a document, and never a longer upper tail.
 */
export async function documentAudit(
  dataset: TokenDataset,
  { documents }: Pick<Counted, 'documents'>,
  threshold: number,
): Promise<CaptureAudit['documents']> {
  const known = [...documents].map(([place, counts]) => ({ place, id: dataset.documents[place]!.id, ...counts }))
  const population = known.reduce((sum, counts) => sum + counts.population, 0)
  const rows = known.reduce((sum, counts) => sum + counts.rows, 0)
  const byRows = [...known].sort((a, b) => b.rows - a.rows || a.place - b.place)
  const over = known
    .filter(counts => counts.rows > counts.expected * (1 + 1e-9) + 1e-9)
    .map(({ id, expected, rows }) => ({
      ...{ id, expected, rows },
      p: Math.min(1, (1 - upperGamma(rows, expected)) * known.length),
    }))
    .filter(({ p }) => p < 0.01)
    .sort((a, b) => a.p - b.p)
  const family = await familiesOf(
    dataset,
    known.map(({ place }) => place),
    threshold,
  )
  const copies = new Map<number, number>()
  let copied = 0
  known.forEach(({ rows }, i) => {
    if (family[i] === i) return
    copies.set(family[i]!, (copies.get(family[i]!) ?? 0) + 1)
    copied += rows
  })
  const copiesOf = [...copies].sort((a, b) => b[1] - a[1] || a[0] - b[0])
  return {
    population: known.length,
    rows: known.filter(({ rows }) => rows > 0).length,
    largest: byRows
      .filter(counts => counts.rows > 0)
      .slice(0, most)
      .map(counts => ({ id: counts.id, population: counts.population / population, rows: counts.rows / rows })),
    overRepresented: over.slice(0, most),
    duplicates: {
      threshold,
      documents: copiesOf.reduce((sum, [, count]) => sum + count, 0),
      rows: copied / rows,
      largest: copiesOf.slice(0, most).map(([i, count]) => ({ id: known[i]!.id, copies: count })),
    },
  }
}

/** For each of the documents at `places` the first of those that it is a copy of. */
async function familiesOf(
  dataset: TokenDataset,
  places: readonly number[],
  threshold: number,
): Promise<ArrayLike<number>> {
  const pieces = new Map<number, Int32Array[]>(places.map(place => [place, []]))
  for (const [i, { tokens, documents, offsets }] of dataset.windows.entries()) {
    if (i % 256 === 0) await breathe()
    for (let start = 0; start < tokens.length; ) {
      let end = start + 1
      while (end < tokens.length && documents[end] === documents[start]) end++
      // What stands before the text (BOS) is no part of it.
      const from = offsets[start]! < 0 ? start + 1 : start
      pieces.get(documents[start]!)?.push(tokens.subarray(from, end))
      start = end
    }
  }
  if (threshold < 1) {
    const texts = places.map(place => joined(pieces.get(place)!))
    return nearDuplicateFamilies(texts, { threshold, shingle, pause: breathe })
  }
  const first = new Map<string, number>()
  return places.map((place, i) => {
    const hash = createHash('sha256')
    for (const piece of pieces.get(place)!)
      hash.update(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength))
    const key = hash.digest('base64')
    if (!first.has(key)) first.set(key, i)
    return first.get(key)!
  })
}

function joined(pieces: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    all.set(piece, at)
    at += piece.length
  }
  return all
}
