/**
 * Documents that are nearly the same, found by their tokens: copies under other names, and copies with a few words changed.
 *
 * Two documents are near-duplicates where the Jaccard index of their shingles (sets of runs of consecutive tokens) reaches a
 * threshold. Candidates share a band of a one-permutation MinHash (Li, Owen and Zhang 2012; empty bins filled as by
 * Shrivastava and Li 2014); each candidate is then compared exactly, so that no pair below the threshold is ever taken.
 */
import { createHash } from 'node:crypto'
import { DigestIndex } from '../core/digest-index.ts'
import { Pace } from '../core/pace.ts'
import type { Sequence } from '../core/sequence.ts'
import { Spill } from '../core/spill.ts'

/**
 * Bins of the signature, and bins of a band. A pair at Jaccard .5 shares none of the 85 bands of three once in 80,000 times, one at .4
 * once in 270; below that bands have two bins, of which a pair at .3 shares none of 128 once in 170,000. Pairs with next to nothing in
 * common, of which there are most, share a band of three less often: one at .03 once in 430 times, and a band of two once in nine.
 */
const bins = 256
const bandBinsFor = (threshold: number) => (threshold < 0.4 ? 2 : 3)

export interface NearDuplicateOptions {
  /** Jaccard index from which two documents are near-duplicates; below .3 some pairs would not be found. */
  readonly threshold: number
  /** Tokens of a shingle; a document with fewer is one shingle. */
  readonly shingle: number
  /** Called from time to time; throws where the work is to end. */
  readonly stop?: (() => void) | undefined
}

/**
 * The family of each document, as the place of the family's first member: documents that a chain of near-duplicates joins.
 * A document without any is its own family. About 40 bytes a document stay in memory; signatures (a kilobyte a document) lie in
 * a spill, and the tokens of a candidate are read again.
 */
export async function nearDuplicateFamilies(
  documents: Sequence<ArrayLike<number>>,
  { threshold, shingle, stop }: NearDuplicateOptions,
): Promise<Uint32Array> {
  const families = new Families(documents.length)
  const shingles = new ShingleCache(documents, shingle)
  const signatures = new Spill()
  const index = new DigestIndex()
  // The first document of each set of shingles.
  const distinct = new Uint32Array(documents.length)
  const pace = new Pace(stop)
  for (const [place, tokens] of documents.entries()) {
    if (pace.isDue()) await pace.rest()
    const own = shinglesOf(tokens, shingle)
    // Exact copies join here, so that a thousand of them are one candidate below.
    const { number, isNew } = index.add(createHash('sha256').update(bytesOf(own)).digest())
    if (isNew) {
      distinct[number] = place
      signatures.append(bytesOf(signatureOf(own)))
    } else families.join(distinct[number]!, place)
  }
  const isNearTo = (a: number, b: number) => isNear(shingles.at(a), shingles.at(b), threshold)
  const bandBins = bandBinsFor(threshold)
  for (let band = 0; band + bandBins <= bins; band += bandBins) {
    const buckets = new Buckets(index.size)
    for (let number = 0; number < index.size; number++) {
      if (pace.isDue()) await pace.rest()
      const at = 4 * (number * bins + band)
      const [a, b, c = 0] = new Uint32Array(signatures.read(at, at + 4 * bandBins).buffer)
      const place = distinct[number]!
      for (const other of buckets.add(number, a!, mix(b! ^ mix(c))))
        if (!families.together(distinct[other]!, place) && isNearTo(distinct[other]!, place))
          families.join(distinct[other]!, place)
    }
  }
  return Uint32Array.from({ length: documents.length }, (_, place) => families.rootOf(place))
}

const bytesOf = (words: Uint32Array) => new Uint8Array(words.buffer, words.byteOffset, words.byteLength)

/** Shingles that are remembered, of all documents together. */
const rememberedShingles = 1 << 20

/** The shingles of documents, read again where they were forgotten. */
class ShingleCache {
  private readonly documents: Sequence<ArrayLike<number>>
  private readonly shingle: number
  private readonly known = new Map<number, Uint32Array>()
  private size = 0

  constructor(documents: Sequence<ArrayLike<number>>, shingle: number) {
    this.documents = documents
    this.shingle = shingle
  }

  at(place: number): Uint32Array {
    const known = this.known.get(place)
    if (known) return known
    const own = shinglesOf(this.documents.at(place)!, this.shingle)
    for (const [oldest, gone] of this.known) {
      if (this.size + own.length <= rememberedShingles) break
      this.known.delete(oldest)
      this.size -= gone.length
    }
    this.known.set(place, own)
    this.size += own.length
    return own
  }
}

/** Numbers by a key of two words: 16 to 24 bytes a number. */
class Buckets {
  private readonly heads: Uint32Array
  private readonly next: Uint32Array
  private readonly keys: Uint32Array

  constructor(count: number) {
    this.heads = new Uint32Array(2 ** Math.ceil(Math.log2(count + 1)))
    this.next = new Uint32Array(count)
    this.keys = new Uint32Array(2 * count)
  }

  /** Adds a number, and gives those before it of the same key. */
  add(number: number, a: number, b: number): number[] {
    const slot = (mix(a) ^ b) & (this.heads.length - 1)
    const found: number[] = []
    for (let at = this.heads[slot]!; at !== 0; at = this.next[at - 1]!)
      if (this.keys[2 * (at - 1)] === a && this.keys[2 * at - 1] === b) found.push(at - 1)
    this.keys[2 * number] = a
    this.keys[2 * number + 1] = b
    this.next[number] = this.heads[slot]!
    this.heads[slot] = number + 1
    return found
  }
}

/** Disjoint sets of places, each known by its least member. */
class Families {
  private readonly parent: Uint32Array

  constructor(count: number) {
    this.parent = Uint32Array.from({ length: count }, (_, place) => place)
  }

  rootOf(place: number): number {
    const { parent } = this
    let root = place
    while (parent[root] !== root) root = parent[root]!
    for (let at = place; at !== root; ) {
      const next = parent[at]!
      parent[at] = root
      at = next
    }
    return root
  }

  together(a: number, b: number): boolean {
    return this.rootOf(a) === this.rootOf(b)
  }

  join(a: number, b: number): void {
    const [x, y] = [this.rootOf(a), this.rootOf(b)]
    this.parent[Math.max(x, y)] = Math.min(x, y)
  }
}

/** The distinct shingles of a document, hashed to 32 bits, ascending. */
export function shinglesOf(tokens: ArrayLike<number>, length: number): Uint32Array {
  const count = Math.max(1, tokens.length - length + 1)
  const found = new Uint32Array(count)
  for (let start = 0; start < count; start++) {
    let hash = 0x9e3779b9
    const end = Math.min(tokens.length, start + length)
    for (let i = start; i < end; i++) hash = mix(hash ^ tokens[i]!)
    found[start] = hash
  }
  found.sort()
  return found.filter((hash, i) => i === 0 || hash !== found[i - 1])
}

/** A bijection of 32 bits: an odd step, then the finaliser of MurmurHash3. */
function mix(value: number): number {
  let x = (Math.imul(value, 0x01000193) + 0x7f4a7c15) >>> 0
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return (x ^ (x >>> 16)) >>> 0
}

/** The least hash of each bin; an empty bin takes that of the next one that is not, marked by how far away it is. */
function signatureOf(shingles: Uint32Array): Uint32Array {
  const least = new Float64Array(bins).fill(Number.POSITIVE_INFINITY)
  for (const hash of shingles) {
    const spread = mix(hash)
    const bin = spread % bins
    least[bin] = Math.min(least[bin]!, (spread - bin) / bins)
  }
  return Uint32Array.from(least, (_, bin) => {
    let away = 0
    while (least[(bin + away) % bins] === Number.POSITIVE_INFINITY) away++
    return mix(least[(bin + away) % bins]! + away * 0x10000019)
  })
}

/** Whether the Jaccard index of two ascending sets reaches the threshold. */
function isNear(a: Uint32Array, b: Uint32Array, threshold: number): boolean {
  // The index is at most the ratio of the sizes.
  if (Math.min(a.length, b.length) < threshold * Math.max(a.length, b.length)) return false
  return jaccard(a, b) >= threshold
}

/** |a ∩ b| / |a ∪ b| of two ascending sets. */
export function jaccard(a: Uint32Array, b: Uint32Array): number {
  let shared = 0
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const [x, y] = [a[i]!, b[j]!]
    if (x === y) shared++
    if (x <= y) i++
    if (y <= x) j++
  }
  return shared / (a.length + b.length - shared)
}
