/** What a sparse autoencoder is, once trained or loaded, and its sparse latents. */
import type { Tensor, Tensor2D } from '../engine/tf.ts'

/** Latents of many rows, compressed by row: row r holds entries `offsets[r] … offsets[r + 1]`, by ascending latent. */
export interface SparseLatents {
  readonly rows: number
  readonly latents: number
  readonly offsets: Uint32Array
  readonly indices: Uint32Array
  readonly values: Float32Array
}

/** Where an SAE belongs, kept in `cfg.json` under `metadata` (SAELens's names where it has them). */
export interface SaeMetadata {
  readonly hook_name: string
  readonly model_name?: string
  readonly context_size?: number
  readonly prepend_bos?: boolean
  readonly [key: string]: unknown
}

/** Whether an SAE predicts what it reads; a transcoder predicts another site. */
export function reconstructs({ width, outputs, metadata }: Pick<Sae, 'width' | 'outputs' | 'metadata'>): boolean {
  return width === outputs && [undefined, null, '', metadata.hook_name].includes(metadata.hook_name_out as string)
}

/** A trained SAE. Weights are tensors that `dispose` frees. */
export interface Sae {
  readonly architecture: string
  /** Width d of the input. */
  readonly width: number
  /** Width of the reconstruction: `width`, unless the SAE predicts another site. */
  readonly outputs: number
  readonly latents: number
  readonly config: Readonly<Record<string, unknown>>
  readonly metadata: SaeMetadata
  readonly params: Readonly<Record<string, Tensor>>
  /** sha256 of the saved weights and config; '' before it is saved. */
  readonly hash: string
  /** Latents [rows, latents] as a dense tensor: the architecture's definition, as used at inference. */
  encodeDense(x: Tensor2D): Tensor2D
  /** The same latents, sparse, on the host. */
  encode(x: Tensor2D): SparseLatents
  /**
   * Reconstruction [rows, outputs] of dense or sparse latents. SAEs with a skip connection or with a normalisation of
   * single rows need the rows `x` that were encoded; a `UserError` says so.
   */
  decode(latents: Tensor2D | SparseLatents, x?: Tensor2D): Tensor2D
  /** Reconstruction [rows, outputs] of rows: `decode(encode(x), x)`. */
  reconstruct(x: Tensor2D): Tensor2D
  /** Decoder row of each latent [latents, outputs]; the caller disposes it. */
  decoder(): Tensor2D
  dispose(): void
}
