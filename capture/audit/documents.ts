/** Documents that have more rows than they should, that have most, and that are copies of others. */
import { createHash } from 'node:crypto'
import { DigestIndex } from '../../core/digest-index.ts'
import { paced, upTo } from '../../core/pace.ts'
import { Passes } from '../../core/passes.ts'
import { ReadSequence } from '../../core/sequence.ts'
import { Spill, SpilledNumbers } from '../../core/spill.ts'
import type { TokenDataset } from '../../datasets/document.ts'
import { nearDuplicateFamilies } from '../../datasets/near-duplicates.ts'
import type { CaptureAudit } from '../../datasets/shards/audit.ts'
import { upperGamma } from '../../statistics/distributions/gamma.ts'
import type { Counted } from './count.ts'

/** How many documents are listed. */
const most = 10
/** Tokens of a shingle. */
const shingle = 5

/** What is known of the documents. */
export interface AuditedDocuments {
  readonly audit: CaptureAudit['documents']
  /** The family of each document by its place, from 1 up, of those that are copies of each other; 0 for one that is alone. */
  readonly families: Uint32Array
}

/**
 * The audit of the documents; `threshold` is the Jaccard index from which two are near-duplicates, 1 for equal tokens only; `passes`
 * tells of what takes long.
 * A draw gives about a Poisson number of rows to a document, and never a longer upper tail.
 */
export async function documentAudit(
  dataset: TokenDataset,
  { documents: { population, rows, expected } }: Pick<Counted, 'documents'>,
  threshold: number,
  passes = new Passes(),
): Promise<AuditedDocuments> {
  const idOf = (place: number) => dataset.documents.at(place)!.id
  let [known, withRows, tokens, all] = [0, 0, 0, 0]
  for (let place = 0; place < population.length; place++) {
    if (population[place] === 0) continue
    known++
    tokens += population[place]!
    all += rows[place]!
    if (rows[place]! > 0) withRows++
  }
  const largest = new Best<number>(most, (a, b) => rows[b]! - rows[a]! || a - b)
  const over = new Best<{ place: number; p: number }>(most, (a, b) => a.p - b.p || a.place - b.place)
  for await (const place of paced(upTo(population.length), passes.over(population.length, 'documents', 'Auditing'))) {
    if (rows[place]! > 0) largest.add(place)
    if (rows[place]! <= expected[place]! * (1 + 1e-9) + 1e-9) continue
    const p = Math.min(1, (1 - upperGamma(rows[place]!, expected[place]!)) * known)
    if (p < 0.01) over.add({ place, p })
  }
  const families = new Uint32Array(population.length)
  let [count, copied, copyRows] = [0, 0, 0]
  const onCopy = (place: number, first: number) => {
    if (families[first] === 0) families[first] = ++count
    families[place] = families[first]!
    copied++
    copyRows += rows[place]!
  }
  await eachCopy(dataset, population, threshold, { onCopy, passes })
  // By family: its first document, and how many it has.
  const firsts = new Uint32Array(count + 1)
  const members = new Uint32Array(count + 1)
  families.forEach((family, place) => {
    if (family > 0 && members[family]!++ === 0) firsts[family] = place
  })
  const mostCopied = new Best<number>(most, (a, b) => members[b]! - members[a]! || firsts[a]! - firsts[b]!)
  for (let family = 1; family <= count; family++) mostCopied.add(family)
  const audit = {
    population: known,
    rows: withRows,
    largest: largest.values.map(place => ({
      id: idOf(place),
      population: population[place]! / tokens,
      rows: rows[place]! / all,
    })),
    overRepresented: over.values.map(({ place, p }) => ({
      ...{ id: idOf(place), expected: expected[place]!, rows: rows[place]!, p },
    })),
    duplicates: {
      threshold,
      documents: copied,
      rows: copyRows / all,
      largest: mostCopied.values.map(family => ({ id: idOf(firsts[family]!), copies: members[family]! - 1 })),
    },
  }
  return { audit, families }
}

/** The first few of many values by an order. */
class Best<T> {
  readonly values: T[] = []
  private readonly most: number
  private readonly order: (a: T, b: T) => number

  constructor(most: number, order: (a: T, b: T) => number) {
    this.most = most
    this.order = order
  }

  add(value: T): void {
    if (this.values.length === this.most && this.order(value, this.values[this.most - 1]!) >= 0) return
    this.values.push(value)
    this.values.sort(this.order)
    this.values.length = Math.min(this.most, this.values.length)
  }
}

/** Calls for each document of the population that is a copy of another, with the first of those. */
async function eachCopy(
  dataset: TokenDataset,
  population: Uint32Array,
  threshold: number,
  { onCopy, passes }: { onCopy(place: number, first: number): void; passes: Passes },
): Promise<void> {
  if (threshold < 1) {
    const { places, read } = await readableTexts(dataset, population, passes)
    passes.end()
    const texts = new ReadSequence(places.length, read)
    const families = await nearDuplicateFamilies(texts, { threshold, shingle, stop: passes.stop })
    families.forEach((family, i) => {
      if (family !== i) onCopy(places[i]!, places[family]!)
    })
    return
  }
  const index = new DigestIndex()
  // The place of each text, by its number.
  const firsts = new SpilledNumbers()
  for await (const { place, pieces } of textsOf(dataset, population, passes)) {
    const hash = createHash('sha256')
    for (const piece of pieces) hash.update(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength))
    const { number, isNew } = index.add(hash.digest())
    if (isNew) firsts.push(place)
    else onCopy(place, firsts.at(number))
  }
}

/** The tokens of each document of the population, in pieces, without the BOS that stands before the text. */
async function* textsOf(
  { windows }: TokenDataset,
  population: Uint32Array,
  passes: Passes,
): AsyncGenerator<{ place: number; pieces: Int32Array[] }> {
  let open: { place: number; pieces: Int32Array[] } | undefined
  for await (const { tokens, documents, offsets } of paced(
    windows,
    passes.over(windows.length, 'windows', 'Looking for copies'),
  )) {
    for (let start = 0; start < tokens.length; ) {
      let end = start + 1
      while (end < tokens.length && documents[end] === documents[start]) end++
      const place = documents[start]!
      if (open?.place !== place) {
        if (open && population[open.place]! > 0) yield open
        open = { place, pieces: [] }
      }
      open.pieces.push(tokens.subarray(offsets[start]! < 0 ? start + 1 : start, end))
      start = end
    }
  }
  if (open && population[open.place]! > 0) yield open
}

/** The documents of the population, and what reads the tokens of one of them again. */
async function readableTexts(dataset: TokenDataset, population: Uint32Array, passes: Passes) {
  const places: number[] = []
  const tokens = new Spill()
  const ends = new SpilledNumbers()
  for await (const { place, pieces } of textsOf(dataset, population, passes)) {
    for (const piece of pieces) tokens.append(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength))
    ends.push(tokens.length)
    places.push(place)
  }
  const read = (i: number) => new Int32Array(tokens.read(i === 0 ? 0 : ends.at(i - 1), ends.at(i)).buffer)
  return { places, read }
}
