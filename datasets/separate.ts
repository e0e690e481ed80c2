/** Splits that share no document, neither by name nor by near-duplicate. */
import { Pace, paced } from '../core/pace.ts'
import { pick, ReadSequence } from '../core/sequence.ts'
import type { Split, TokenDataset, TokenWindow } from './document.ts'
import { type NearDuplicateOptions, nearDuplicateFamilies } from './near-duplicates.ts'

/** A document that is left out of a split since it is nearly in an earlier one. */
export interface DroppedDocument {
  readonly document: string
  readonly split: Split
  /** The document that it is a near-duplicate of, and that one's split. */
  readonly copyOf: string
  readonly keptIn: Split
}

export interface Separated {
  /** The dataset without the windows that hold a dropped document; `copyOf` says which documents are nearly the same. */
  readonly dataset: TokenDataset
  readonly dropped: readonly DroppedDocument[]
  /** Documents that count as another one of the same split. */
  readonly merged: readonly { readonly document: string; readonly copyOf: string; readonly split: Split }[]
}

/**
 * Keeps every family of near-duplicates in the first of the splits named that has any of it, and drops the later splits'
 * windows that hold a document of it. A document whose tokens reach across two splits is of a family by itself already.
 * Windows of splits that are not named stay as they are.
 */
export async function separateSplits(
  dataset: TokenDataset,
  splits: readonly Split[],
  options: NearDuplicateOptions,
): Promise<Separated> {
  const { stop } = options
  const rankOf = (split: Split) => splits.indexOf(split)
  const held = await heldDocuments(dataset, rankOf, stop)
  const families = await nearDuplicateFamilies(held.texts, options)
  // The family of each document (the number behind the last for one that no split holds), and how often a split holds one of it.
  const familyOf = new Uint32Array(dataset.documents.length).fill(families.length)
  const sizes = new Uint32Array(families.length)
  for (const [i, place] of held.places.entries()) {
    familyOf[place] = families[i]!
    sizes[families[i]!]! += countBits(held.ranks[place]!)
  }
  // Most documents are a family by themselves in one split, of which nothing is to be said.
  const shared = await membersByRank(dataset, familyOf, rankOf, family => sizes[family]! > 1, stop)
  const copyOf = Uint32Array.from({ length: dataset.documents.length }, (_, place) => place)
  const dropped: DroppedDocument[] = []
  const merged: { document: string; copyOf: string; split: Split }[] = []
  const idOf = (place: number) => dataset.documents.at(place)!.id
  const firstRank = new Map<number, number>()
  const pace = new Pace(stop)
  for (const [family, byRank] of shared) {
    const [kept, ...later] = [...byRank].sort(([a], [b]) => a - b)
    const [rank, members] = kept!
    const [first, ...copies] = [...members].sort((a, b) => a - b)
    firstRank.set(family, rank)
    for (const copy of copies) {
      if (pace.isDue()) await pace.rest()
      copyOf[copy] = first!
      merged.push({ document: idOf(copy), copyOf: idOf(first!), split: splits[rank]! })
    }
    for (const [other, gone] of later)
      for (const place of [...gone].sort((a, b) => a - b)) {
        if (pace.isDue()) await pace.rest()
        dropped.push({ document: idOf(place), split: splits[other]!, copyOf: idOf(first!), keptIn: splits[rank]! })
      }
  }
  const isKept = ({ split, documents }: TokenWindow) => {
    const rank = rankOf(split)
    return rank < 0 || !documents.some(place => (firstRank.get(familyOf[place]!) ?? rank) < rank)
  }
  const windows = await pick(dataset.windows, isKept, stop)
  return { dataset: { ...dataset, windows, copyOf }, dropped, merged }
}

/**
 * The documents in windows of splits that have a rank, ascending, and their tokens there in the windows' order, read when
 * they are asked for. `ranks` has a bit for each rank that a document is in. 13 bytes a document of the dataset.
 */
async function heldDocuments(
  { windows, documents: all }: TokenDataset,
  rankOf: (split: Split) => number,
  stop: (() => void) | undefined,
) {
  const first = new Uint32Array(all.length)
  const last = new Uint32Array(all.length)
  const ranks = new Uint8Array(all.length)
  for await (const [at, { split, documents, offsets }] of paced(windows.entries(), stop)) {
    const rank = rankOf(split)
    if (rank < 0) continue
    for (const [i, place] of documents.entries()) {
      if (offsets[i]! < 0) continue
      if (ranks[place] === 0) first[place] = at
      last[place] = at
      ranks[place]! |= 1 << rank
    }
  }
  const places = new Uint32Array(ranks.reduce((count, bits) => count + (bits === 0 ? 0 : 1), 0))
  let next = 0
  for (const [place, bits] of ranks.entries()) if (bits !== 0) places[next++] = place
  const texts = new ReadSequence(places.length, number => {
    const place = places[number]!
    const text: number[] = []
    for (let at = first[place]!; at <= last[place]!; at++) {
      const { split, tokens, documents, offsets } = windows.at(at)!
      if (rankOf(split) < 0) continue
      for (const [i, document] of documents.entries()) if (document === place && offsets[i]! >= 0) text.push(tokens[i]!)
    }
    return text
  })
  return { places, texts, ranks }
}

function countBits(bits: number): number {
  let count = 0
  for (let left = bits; left !== 0; left &= left - 1) count++
  return count
}

/** For each family that is asked for its documents by the rank of the splits that hold them, in the windows' order. */
async function membersByRank(
  { windows }: TokenDataset,
  familyOf: Uint32Array,
  rankOf: (split: Split) => number,
  isAsked: (family: number) => boolean,
  stop: (() => void) | undefined,
): Promise<Map<number, Map<number, Set<number>>>> {
  const held = new Map<number, Map<number, Set<number>>>()
  for await (const { split, documents, offsets } of paced(windows, stop)) {
    const rank = rankOf(split)
    if (rank < 0) continue
    documents.forEach((place, i) => {
      const family = familyOf[place]!
      if (offsets[i]! < 0 || !isAsked(family)) return
      const byRank = held.get(family) ?? new Map<number, Set<number>>()
      held.set(family, byRank.set(rank, (byRank.get(rank) ?? new Set()).add(place)))
    })
  }
  return held
}
