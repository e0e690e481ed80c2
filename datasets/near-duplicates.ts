/**
 * Documents that are nearly the same, found by their tokens: copies under other names, and copies with a few words changed.
 *
 * Two documents are near-duplicates where the Jaccard index of their shingles (sets of runs of consecutive tokens) reaches a
 * threshold. Candidates share a band of a one-permutation MinHash (Li, Owen and Zhang 2012; empty bins filled as by
 * Shrivastava and Li 2014); each candidate is then compared exactly, so that no pair below the threshold is ever taken.
 */

/** Bins of the signature, and bins of a band; a pair at Jaccard .5 shares none of the 64 bands once in 10⁸. */
const bins = 128
const bandBins = 2

export interface NearDuplicateOptions {
  /** Jaccard index from which two documents are near-duplicates; below .3 some pairs would not be found. */
  readonly threshold: number
  /** Tokens of a shingle; a document with fewer is one shingle. */
  readonly shingle: number
  /** Awaited between pieces of work; may throw to stop. */
  readonly pause?: () => void | Promise<void>
}

/**
 * The family of each document, as the place of the family's first member: documents that a chain of near-duplicates joins.
 * A document without any is its own family.
 */
export async function nearDuplicateFamilies(
  documents: readonly ArrayLike<number>[],
  { threshold, shingle, pause }: NearDuplicateOptions,
): Promise<Uint32Array> {
  const families = new Families(documents.length)
  const shingles: Uint32Array[] = []
  const first = new Map<string, number[]>()
  const distinct: { readonly place: number; readonly signature: Uint32Array }[] = []
  for (const [place, tokens] of documents.entries()) {
    if (place % 1024 === 0) await pause?.()
    const own = shinglesOf(tokens, shingle)
    shingles.push(own)
    const signature = signatureOf(own)
    // Exact copies join here, so that a thousand of them are one candidate below.
    const key = `${own.length} ${signature.join(' ')}`
    const alike = first.get(key) ?? []
    const same = alike.find(other => jaccard(shingles[other]!, own) === 1)
    if (same !== undefined) families.join(same, place)
    else {
      first.set(key, [...alike, place])
      distinct.push({ place, signature })
    }
  }
  for (let band = 0; band < bins; band += bandBins) {
    await pause?.()
    const buckets = new Map<string, number[]>()
    for (const { place, signature } of distinct) {
      const key = `${signature[band]} ${signature[band + 1]}`
      const bucket = buckets.get(key) ?? []
      for (const other of bucket)
        if (!families.together(other, place) && isNear(shingles[other]!, shingles[place]!, threshold))
          families.join(other, place)
      bucket.push(place)
      buckets.set(key, bucket)
    }
  }
  return Uint32Array.from(documents, (_, place) => families.rootOf(place))
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
