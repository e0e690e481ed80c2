/** Cuts tokenised documents into the windows that a model reads. */

/** A document's tokens and its place in the dataset. */
export interface TokenisedDocument {
  readonly id: string
  readonly index: number
  readonly tokens: Int32Array
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
function beginOf(tokens: Int32Array, bos: number | null): number {
  return bos !== null && tokens[0] === bos ? 1 : 0
}

/** Each document in windows of at most `context` tokens, every one with one BOS in front; named `id`, `id#1`, `id#2` … */
export function packDocument({ id, index, tokens }: TokenisedDocument, { context, bos }: Packing): Piece[] {
  const lead = bos === null ? 0 : 1
  const room = context - lead
  const pieces: Piece[] = []
  for (let start = beginOf(tokens, bos); start < tokens.length; start += room) {
    const count = Math.min(room, tokens.length - start)
    const piece = new Int32Array(lead + count)
    if (bos !== null) piece[0] = bos
    piece.set(tokens.subarray(start, start + count), lead)
    pieces.push({
      id: pieces.length === 0 ? id : `${id}#${pieces.length}`,
      tokens: piece,
      documents: new Uint32Array(lead + count).fill(index),
      offsets: Int32Array.from(piece, (_, i) => (i < lead ? -1 : start + i - lead)),
    })
  }
  return pieces
}

/**
 * All documents joined, one BOS in front of each, cut into windows of exactly `context` tokens; what is left at the end is
 * dropped. Named `window-<first>`, `window-<first + 1>` …
 */
export function packConcatenated(
  documents: readonly TokenisedDocument[],
  { context, bos }: Packing,
  first = 0,
): Piece[] {
  const lead = bos === null ? 0 : 1
  const total = documents.reduce((sum, { tokens }) => sum + tokens.length - beginOf(tokens, bos) + lead, 0)
  const all = { tokens: new Int32Array(total), documents: new Uint32Array(total), offsets: new Int32Array(total) }
  let at = 0
  for (const { index, tokens } of documents) {
    const begin = beginOf(tokens, bos)
    const count = tokens.length - begin
    all.documents.fill(index, at, at + lead + count)
    if (bos !== null) {
      all.tokens[at] = bos
      all.offsets[at] = -1
      at++
    }
    all.tokens.set(tokens.subarray(begin), at)
    for (let i = 0; i < count; i++) all.offsets[at + i] = begin + i
    at += count
  }
  return Array.from({ length: Math.floor(total / context) }, (_, i) => {
    const range = [i * context, (i + 1) * context] as const
    return {
      id: `window-${first + i}`,
      tokens: all.tokens.subarray(...range),
      documents: all.documents.subarray(...range),
      offsets: all.offsets.subarray(...range),
    }
  })
}
