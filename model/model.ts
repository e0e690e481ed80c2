/** What a host model is: a forward pass whose every site can be read and written by hooks. */
import type { PassEdits } from '../engine/ops/edited-pass.ts'
import type { LogitChangesOptions } from '../engine/ops/logit-changes.ts'
import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from '../engine/tf.ts'

/** Sizes and settings every family has, whatever its config file calls them. */
export interface ModelConfig {
  /** Hugging Face `model_type`. */
  readonly family: string
  readonly layers: number
  /** Residual width d. */
  readonly width: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly mlpWidth: number
  readonly vocabulary: number
  /** Longest window in tokens. */
  readonly context: number
  readonly bosToken: number | null
  readonly eosToken: number | null
}

/** A named place in the forward pass (TransformerLens strings) and its shape after [batch, position]. */
export interface Site {
  readonly name: string
  /** Axes in order, e.g. ['batch', 'position', 'width'] or ['batch', 'head', 'query', 'key']. */
  readonly axes: readonly string[]
  /** Sizes of the axes after batch and position where they are fixed, e.g. [64]; empty for patterns. */
  readonly size: readonly number[]
}

/**
 * Reads a site's value, or replaces it by returning another of the same shape. Runs inside a tidy: a tensor to keep
 * must go through `tf.keep`. Must not be async.
 */
export type Hook = (value: Tensor, site: string) => Tensor | undefined

/**
 * Keys and values of positions that come before the tokens of a run: what attention reads of them, from the first block that
 * is run on. Keys are as they are scored, after any rotation (`attn.hook_rot_k`, or `attn.hook_k` where there is none).
 */
export interface Prefix {
  /** How many positions. */
  readonly positions: number
  /** By block: keys and values [1, positions, kvHead, headDim]. */
  readonly blocks: ReadonlyMap<number, { readonly keys: Tensor4D; readonly values: Tensor4D }>
}

export interface RunOptions {
  /** Hooks by site name. An unknown site is a `UserError` that lists the nearest names. */
  readonly hooks?: Readonly<Record<string, Hook>>
  /** Start from a stored residual (`blocks.L.hook_resid_pre` or `_post`) instead of the embedding. Its own hook runs on it. */
  readonly from?: { readonly site: string; readonly value: Tensor3D }
  /**
   * The tokens go on behind these positions, the same for every row of the batch; needs `from`. Every site is then of the tokens
   * alone, and scores and pattern are no sites.
   */
  readonly prefix?: Prefix
  /**
   * For each row of the batch the positions, as many for each, that are taken on behind the attention of the last block: what
   * stands there hangs on no other position from then on. From that block's output projection on, sites and logits are [batch, n, …]
   * of these positions, in the order given.
   */
  readonly readAt?: readonly (readonly number[])[]
  /** Stop after this site and return its value (after its hook) instead of the logits. */
  readonly until?: string
}

/** One document from a residual on, kept for edits of that residual. The caller disposes it. */
export interface DocumentPass {
  /** What is kept takes. */
  bytes(): number
  /** What each edit changes in `unembed.hook_in` at the positions that are read of it [reads, width]; exactly 0 for an edit of nothing. */
  edited(edits: PassEdits): Tensor2D
  /** What such changes [rows, width] do to predictions: ln E_p[e^d], E_p[d] and d_next [rows, 3], d being the change of the logits. */
  predictions(changes: Tensor2D, rows: Pick<LogitChangesOptions, 'positions' | 'next'>): Tensor2D
  dispose(): void
}

/** A host transformer with unprocessed weights (`weight_processing: none`). */
export interface Model {
  readonly config: ModelConfig
  /** Every site the family has, in the order of the forward pass. */
  readonly sites: readonly Site[]
  /** sha256 over config and weights. */
  readonly hash: string
  /** Where it was loaded from, for messages and manifests. */
  readonly path: string
  /**
   * Logits [batch, position, vocabulary], or the value at `until`. `tokens` is int32 [batch, position]; pad on the
   * right, since attention is causal. Differentiable with respect to any value a hook returns. With `from`, `tokens`
   * still gives batch and position. The result is the caller's to dispose; nothing else stays, also when a hook throws.
   * Throws a `UserError` for an unknown site, a hook the pass never comes to, and tokens the model cannot read.
   */
  run(tokens: Tensor2D, options?: RunOptions): Tensor
  /** The weights by their Hugging Face names, for training and for reading (`W_U` and the like: see `unembedding`). */
  readonly weights: Readonly<Record<string, Tensor>>
  /**
   * The unembedding [width, vocabulary] behind the final norm's gain and, for layer norms, its centring: a direction
   * times this, over the norm's scale, is what it adds to the logits. The caller disposes it.
   */
  unembedding(): Tensor2D
  /**
   * What `unembed.hook_in` is multiplied by to give Σ_v w_v · logit_v for each column w of `weights` [vocabulary, columns]:
   * [width, columns]. Null where no product gives it, as logits are capped, the head has a bias, or there is no such site. The caller disposes it.
   */
  logitColumns(weights: Tensor2D): Tensor2D | null
  /**
   * A document whose residual at a site (`blocks.L.hook_resid_pre` or `_post`) is `value` [1, position, width], for many edits of it
   * that need no other hook. Null where that is no faster than `run`: at other sites, in families with more in a block, and
   * where the engine has no op for it.
   */
  editedFrom(site: string, value: Tensor3D): DocumentPass | null
  dispose(): void
}
