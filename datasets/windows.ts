/** Cuts tokenised documents into the windows that a model reads, each made when it is asked for. */
import { paced } from '../core/pace.ts'
import { ReadSequence, type Sequence } from '../core/sequence.ts'

/** Documents with tokens, by their places in the dataset. */
export interface TokenisedDocuments {
  readonly count: number
  idOf(place: number): string
  lengthOf(place: number): number
  /** Tokens of a document from one place to another. */
  tokensOf(place: number, from: number, to: number): Int32Array
}

/** A window before it has a place and a split. */
export interface Piece {
  readonly id: string
  readonly tokens: Int32Array
  readonly documents: Uint32Array
  readonly offsets: Int32Array
}

export interface Packing {
  /** Tokens of a window at most. */
  readonly context: number
  /** BOS token, or null for none. */
  readonly bos: number | null
}

/** Where a document's tokens begin: after the BOS that it brings along, which takes the place of the one put in front. */
function beginOf(documents: TokenisedDocuments, place: number, bos: number | null): number {
  return bos !== null && documents.lengthOf(place) > 0 && documents.tokensOf(place, 0, 1)[0] === bos ? 1 : 0
}

/** How many windows a document is cut into. */
export function countPieces(documents: TokenisedDocuments, place: number, { context, bos }: Packing): number {
  const room = context - (bos === null ? 0 : 1)
  return Math.ceil((documents.lengthOf(place) - beginOf(documents, place, bos)) / room)
}

/**
 * One of the windows of a document, by its number from 0 on: at most `context` tokens, with one BOS in front; named `id`,
 * `id#1`, `id#2` …
 */
export function pieceOf(
  documents: TokenisedDocuments,
  place: number,
  number: number,
  { context, bos }: Packing,
): Piece {
  const lead = bos === null ? 0 : 1
  const room = context - lead
  const length = documents.lengthOf(place)
  // The first window is read with one token more, which tells where the document begins.
  let start = number === 0 ? 0 : beginOf(documents, place, bos) + number * room
  let own = documents.tokensOf(place, start, Math.min(length, start + room + (number === 0 ? 1 : 0)))
  if (number === 0) {
    start = bos !== null && own[0] === bos ? 1 : 0
    own = own.subarray(start, start + room)
  }
  const size = lead + own.length
  // One piece of memory for the three of them: windows are made over and over.
  const memory = new ArrayBuffer(12 * size)
  const tokens = new Int32Array(memory, 0, size)
  const offsets = new Int32Array(memory, 8 * size, size)
  if (bos !== null) {
    tokens[0] = bos
    offsets[0] = -1
  }
  tokens.set(own, lead)
  for (let i = lead; i < size; i++) offsets[i] = start + i - lead
  const id = documents.idOf(place)
  return {
    id: number === 0 ? id : `${id}#${number}`,
    tokens,
    documents: new Uint32Array(memory, 4 * size, size).fill(place),
    offsets,
  }
}

/**
 * The documents at `places` (ascending) joined, one BOS in front of each, cut into windows of exactly `context` tokens; what is
 * left at the end is dropped. Named `window-<first>`, `window-<first + 1>` … Takes 12 bytes a document.
 */
export async function joinedPieces(
  documents: TokenisedDocuments,
  places: Uint32Array,
  { context, bos }: Packing,
  first: number,
  stop?: () => void,
): Promise<Sequence<Piece>> {
  const lead = bos === null ? 0 : 1
  // Where each document, with the BOS in front of it, begins and the last one ends.
  const starts = new Float64Array(places.length + 1)
  for await (const [i, place] of paced(places.entries(), stop))
    starts[i + 1] = starts[i]! + documents.lengthOf(place) - beginOf(documents, place, bos) + lead
  return new ReadSequence(Math.floor(starts.at(-1)! / context), number => {
    const piece = {
      id: `window-${first + number}`,
      tokens: new Int32Array(context),
      documents: new Uint32Array(context),
      offsets: new Int32Array(context),
    }
    const from = number * context
    for (let at = 0, i = lastAtMost(starts, from); at < context; i++) {
      const place = places[i]!
      // Of the document with its BOS: what lies before the window, and what is left of it.
      let skip = from + at - starts[i]!
      const end = Math.min(context, at + starts[i + 1]! - starts[i]! - skip)
      piece.documents.fill(place, at, end)
      if (skip < lead && at < end) {
        piece.tokens[at] = bos!
        piece.offsets[at++] = -1
        skip++
      }
      const begin = beginOf(documents, place, bos) + skip - lead
      piece.tokens.set(documents.tokensOf(place, begin, begin + end - at), at)
      for (let offset = begin; at < end; at++) piece.offsets[at] = offset++
    }
    return piece
  })
}

/** The last place of an ascending list whose value is at most `value`. */
export function lastAtMost(ascending: ArrayLike<number>, value: number): number {
  let [low, high] = [0, ascending.length - 1]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (ascending[middle]! <= value) low = middle
    else high = middle - 1
  }
  return low
}
