/** Which split each document and window belongs to, decided so that no document is in two splits. */
import { UserError } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'
import { paced, upTo } from '../core/pace.ts'
import { uniformOf } from '../core/random.ts'
import { ReadSequence, type Sequence } from '../core/sequence.ts'
import type { DatasetConfig } from './config.ts'
import type { DocumentFacts, Split, TokenWindow } from './document.ts'
import {
  countPieces,
  joinedPieces,
  lastAtMost,
  type Packing,
  type Piece,
  pieceOf,
  type TokenisedDocuments,
} from './windows.ts'

/** Splits in the order in which joined windows stand. */
const order: readonly Split[] = ['train', 'discovery', 'validation', 'outOfDistribution']

/**
 * Windows with their splits, in the dataset's order. Documents are given to splits before they are cut, and joined
 * windows are cut from each split's documents alone. `tail` with joined windows cuts first (the last share of windows
 * is held out, its first half for discovery), so there a document may reach across one of the two borders; no token does.
 * At most 13 bytes a document are held. `stop` is called from time to time, and throws where the work is to end.
 */
export async function cutWindows(
  documents: Sequence<DocumentFacts>,
  tokenised: TokenisedDocuments,
  packing: Packing,
  config: DatasetConfig,
  stop?: () => void,
): Promise<Sequence<TokenWindow>> {
  const splits = new Uint8Array(documents.length)
  for await (const [place, document] of paced(documents.entries(), stop))
    splits[place] = order.indexOf(splitOf(document, config))
  return config.packing === 'document'
    ? cutDocuments(documents, tokenised, packing, config, splits, stop)
    : cutJoined(tokenised, packing, config, splits, stop)
}

async function cutDocuments(
  documents: Sequence<DocumentFacts>,
  tokenised: TokenisedDocuments,
  packing: Packing,
  config: DatasetConfig,
  splits: Uint8Array,
  stop: (() => void) | undefined,
): Promise<Sequence<TokenWindow>> {
  // Each document's first window, and the one behind the last.
  const first = new Uint32Array(splits.length + 1)
  for await (const place of paced(upTo(splits.length), stop))
    first[place + 1] = first[place]! + countPieces(tokenised, place, packing)
  if (config.heldOut.by === 'tail') await holdOutTail(splits, first, documents, config, stop)
  return new ReadSequence(first[splits.length]!, index => {
    const place = lastAtMost(first, index)
    const { id, tokens, documents, offsets } = pieceOf(tokenised, place, index - first[place]!, packing)
    return { id, tokens, documents, offsets, split: order[splits[place]!]!, index }
  })
}

async function cutJoined(
  tokenised: TokenisedDocuments,
  packing: Packing,
  { heldOut }: DatasetConfig,
  splits: Uint8Array,
  stop: (() => void) | undefined,
): Promise<Sequence<TokenWindow>> {
  const firsts: number[] = []
  let length = 0
  const parts: { pieces: Sequence<Piece>; splitOf: (i: number) => Split }[] = []
  for (const [number, split] of order.entries()) {
    const places = new Uint32Array(splits.reduce((sum, own) => sum + (own === number ? 1 : 0), 0))
    let next = 0
    for (const [place, own] of splits.entries()) if (own === number) places[next++] = place
    const pieces = await joinedPieces(tokenised, places, packing, length, stop)
    firsts.push(length)
    length += pieces.length
    const held = split === 'train' && heldOut.by === 'tail' ? Math.round(pieces.length * heldOut.fraction) : 0
    const tail = pieces.length - held
    const half = tail + Math.ceil(held / 2)
    parts.push({ pieces, splitOf: i => (i < tail ? split : i < half ? 'discovery' : 'validation') })
  }
  return new ReadSequence(length, index => {
    const part = lastAtMost(firsts, index)
    const place = index - firsts[part]!
    return { ...parts[part]!.pieces.at(place)!, split: parts[part]!.splitOf(place), index }
  })
}

/** A document's split by its strata and, where documents are held out by hash, by its id. */
function splitOf({ id, strata }: DocumentFacts, { heldOut, outOfDistribution, seed }: DatasetConfig): Split {
  if (outOfDistribution?.values.includes(strata[outOfDistribution.field] ?? '')) return 'outOfDistribution'
  if (heldOut.by === 'tail' || uniformOf(seed, 'held out', id) >= heldOut.fraction) return 'train'
  return halfOf(id, seed)
}

function halfOf(id: string, seed: number): Split {
  return uniformOf(seed, 'half', id) < 0.5 ? 'discovery' : 'validation'
}

/**
 * Holds out the last documents that together have at most the given share of the windows; `first` holds each document's first
 * window and the one behind the last.
 */
async function holdOutTail(
  splits: Uint8Array,
  first: Uint32Array,
  documents: Sequence<DocumentFacts>,
  config: DatasetConfig,
  stop: (() => void) | undefined,
): Promise<void> {
  const train = order.indexOf('train')
  const pieces = (place: number) => first[place + 1]! - first[place]!
  const total = splits.reduce((sum, split, place) => sum + (split === train ? pieces(place) : 0), 0)
  let left = Math.round(total * config.heldOut.fraction)
  for await (const behind of paced(upTo(splits.length), stop)) {
    const place = splits.length - 1 - behind
    if (splits[place] !== train) continue
    left -= pieces(place)
    if (left < 0) return
    splits[place] = order.indexOf(halfOf(documents.at(place)!.id, config.seed))
  }
}

/** Refuses an out-of-distribution rule that no document meets; `strata` are the values of each field. */
export function checkOutOfDistribution(
  strata: ReadonlyMap<string, ReadonlySet<string>>,
  { outOfDistribution: rule }: DatasetConfig,
): void {
  if (!rule) return
  const known = strata.get(rule.field)
  if (!known) {
    const [best] = nearest(rule.field, [...strata.keys()], 1)
    throw new UserError(`dataset.outOfDistribution.field is ${rule.field}, but no document has that stratum.`, {
      fix: best ? `Did you mean ${best}?` : 'Name the field in dataset.strataFields too.',
    })
  }
  for (const value of rule.values) {
    if (known.has(value)) continue
    const [best] = nearest(value, [...known], 1)
    throw new UserError(
      `dataset.outOfDistribution.values names ${value}, but no document has ${rule.field} ${value}.`,
      { ...(best !== undefined && { fix: `Did you mean ${best}?` }) },
    )
  }
}
