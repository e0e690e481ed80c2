/** Splits that share no document, neither by name nor by near-duplicate. */
import { pick, ReadSequence } from '../core/sequence.ts'
import type { Split, TokenDataset } from './document.ts'
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
  const rankOf = (split: Split) => splits.indexOf(split)
  const { places, texts } = heldTexts(dataset, split => rankOf(split) >= 0)
  const families = await nearDuplicateFamilies(texts, options)
  const familyOf = new Map(places.map((place, i) => [place, families[i]!]))
  const held = membersByRank(dataset, familyOf, rankOf)
  const copyOf = Uint32Array.from({ length: dataset.documents.length }, (_, place) => place)
  const dropped: DroppedDocument[] = []
  const merged: { document: string; copyOf: string; split: Split }[] = []
  const idOf = (place: number) => dataset.documents.at(place)!.id
  const firstRank = new Map<number, number>()
  for (const [family, byRank] of held) {
    const [kept, ...later] = [...byRank].sort(([a], [b]) => a - b)
    const [rank, members] = kept!
    const [first, ...copies] = [...members].sort((a, b) => a - b)
    firstRank.set(family, rank)
    for (const copy of copies) {
      copyOf[copy] = first!
      merged.push({ document: idOf(copy), copyOf: idOf(first!), split: splits[rank]! })
    }
    for (const [other, gone] of later)
      for (const place of [...gone].sort((a, b) => a - b))
        dropped.push({ document: idOf(place), split: splits[other]!, copyOf: idOf(first!), keptIn: splits[rank]! })
  }
  const windows = pick(dataset.windows, ({ split, documents }) => {
    const rank = rankOf(split)
    return rank < 0 || !documents.some(place => firstRank.get(familyOf.get(place)!)! < rank)
  })
  return { dataset: { ...dataset, windows, copyOf }, dropped, merged }
}

/** The documents in windows of these splits, ascending, and their tokens there in the windows' order, read when they are asked for. */
function heldTexts({ windows }: TokenDataset, isHeld: (split: Split) => boolean) {
  // The first and the last of the windows that hold each.
  const found = new Map<number, [number, number]>()
  for (const [at, { split, documents, offsets }] of windows.entries()) {
    if (!isHeld(split)) continue
    for (const [i, place] of documents.entries()) {
      if (offsets[i]! < 0) continue
      const own = found.get(place)
      if (own) own[1] = at
      else found.set(place, [at, at])
    }
  }
  const places = [...found.keys()].sort((a, b) => a - b)
  const texts = new ReadSequence(places.length, number => {
    const place = places[number]!
    const [first, last] = found.get(place)!
    const text: number[] = []
    for (let at = first; at <= last; at++) {
      const { split, tokens, documents, offsets } = windows.at(at)!
      if (!isHeld(split)) continue
      for (const [i, document] of documents.entries()) if (document === place && offsets[i]! >= 0) text.push(tokens[i]!)
    }
    return text
  })
  return { places, texts }
}

/** For each family its documents by the rank of the splits that hold them. */
function membersByRank(
  { windows }: TokenDataset,
  familyOf: ReadonlyMap<number, number>,
  rankOf: (split: Split) => number,
): Map<number, Map<number, Set<number>>> {
  const held = new Map<number, Map<number, Set<number>>>()
  for (const { split, documents, offsets } of windows) {
    const rank = rankOf(split)
    if (rank < 0) continue
    documents.forEach((place, i) => {
      if (offsets[i]! < 0) return
      const family = familyOf.get(place)!
      const byRank = held.get(family) ?? new Map<number, Set<number>>()
      held.set(family, byRank.set(rank, (byRank.get(rank) ?? new Set()).add(place)))
    })
  }
  return held
}
