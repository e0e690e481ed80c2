/** Documents and the token windows cut from them. */

import type { Sequence } from '../core/sequence.ts'
import type { DatasetConfig } from './config.ts'
import type { Skipped } from './sources/skipped.ts'

/** A text with its strata and, where known, the concepts it is about. */
export interface Document {
  readonly id: string
  readonly text?: string
  /** Token ids; given instead of, or besides, `text` by sources that tokenise themselves. */
  readonly tokens?: Int32Array
  /** Fields to stratify by: source, language, register … */
  readonly strata: Readonly<Record<string, string>>
  /** Concepts that hold for the whole document. */
  readonly concepts?: readonly string[]
  /** Concepts of each token, parallel to `tokens`. */
  readonly tokenConcepts?: readonly (readonly string[])[]
}

/** What a dataset keeps of a document; its text is what the tokens say, and these stand in the windows. */
export type DocumentFacts = Omit<Document, 'text' | 'tokens'>

/** Which part of the data a window belongs to; SAEs are fitted on `train` only, the others are held out. */
export type Split = 'train' | 'discovery' | 'validation' | 'outOfDistribution'

/** What the model reads at once: a document, a piece of one, or pieces of several (packed). The unit of statistics. */
export interface TokenWindow {
  /** Stable name: the document's id, `id#2` for its third piece, or `window-17` when packed. */
  readonly id: string
  /** Place in the dataset's order; what a shard's `document` column holds. */
  readonly index: number
  /** Token ids, BOS first where the dataset says so. */
  readonly tokens: Int32Array
  /** For each token the index of its document in `TokenDataset.documents` (BOS belongs to the document it opens). */
  readonly documents: Uint32Array
  /** For each token its index within its document's tokens, −1 for BOS. */
  readonly offsets: Int32Array
  readonly split: Split
}

/** Tokenised text. Windows that hold the same document stand together. */
export interface TokenDataset {
  readonly name: string
  readonly documents: Sequence<DocumentFacts>
  /** In memory where they are few, else made anew each time that they are read. */
  readonly windows: Sequence<TokenWindow>
  /** sha256 of the source, the tokenizer and the settings that cut it. */
  readonly hash: string
  readonly tokenizerHash: string
  /** The settings it was opened with, `context` filled in; absent for datasets made in memory. */
  readonly config?: DatasetConfig
  /** Concept names over the whole dataset, sorted; strata fields count as concepts `field=value`. */
  readonly concepts: readonly string[]
  /** Documents that were left out because they cannot be used, by reason. */
  readonly skipped?: readonly Skipped[]
  /** Packed files without checksums, by their paths below its folder: where their bytes were changed, that may not be seen. */
  readonly unchecked?: readonly string[]
  /** For each document the first of its near-duplicates, itself where it has none; absent where none were looked for. */
  readonly copyOf?: Uint32Array
  /** Ids of BOS, EOS and padding, ascending; absent for datasets made in memory. */
  readonly specialTokens?: readonly number[]
}

/** A dataset in memory. */
export interface HeldDataset extends TokenDataset {
  readonly documents: readonly DocumentFacts[]
  readonly windows: readonly TokenWindow[]
}

/** Whether each of a window's tokens carries a concept; strata concepts are written `field=value`. */
export function conceptMask(dataset: TokenDataset, window: TokenWindow, concept: string): Uint8Array {
  const mask = new Uint8Array(window.tokens.length)
  for (let i = 0; i < mask.length; i++) {
    const document = dataset.documents.at(window.documents[i]!)!
    const offset = window.offsets[i]!
    const split = concept.indexOf('=')
    const holds =
      document.concepts?.includes(concept) ||
      (offset >= 0 && document.tokenConcepts?.[offset]?.includes(concept)) ||
      (split > 0 && document.strata[concept.slice(0, split)] === concept.slice(split + 1))
    mask[i] = holds ? 1 : 0
  }
  return mask
}
