/** Makes an `Sae` from an architecture's name, its config and its tensors. */
import { UserError } from '../core/errors.ts'
import { type Tensor, type Tensor2D, tf } from '../engine/tf.ts'
import {
  decodeRows,
  decoderRows,
  encodeRows,
  impliedSizes,
  normalisesRows,
  readsSequences,
  rowScaleOf,
  tensorShapes,
} from './inference.ts'
import type { Sae, SaeMetadata, SparseLatents } from './sae.ts'
import { compressRows, denseRows, stackSparse } from './sparse.ts'

/** Entries of a dense latent matrix that are made at once; more rows are worked through in pieces. */
const chunkEntries = 1 << 24

export interface SaeParts {
  readonly architecture: string
  /** Keys of cfg.json that the architecture reads: `k`, `apply_b_dec_to_input`, `normalize_activations` … */
  readonly config: Readonly<Record<string, unknown>>
  readonly metadata: SaeMetadata
  /** Tensors under their saved names; the SAE owns them from here on. */
  readonly params: Readonly<Record<string, Tensor>>
  readonly hash?: string
}

/** An SAE of these parts. Throws a `UserError` when a tensor is missing or has another shape than the others imply. */
export function makeSae({ architecture, config, metadata, params, hash = '' }: SaeParts): Sae {
  const { width, latents, outputs } = checkShapes(architecture, params)
  // A sequence is worked through as a whole.
  const chunk = readsSequences(architecture) ? Number.MAX_SAFE_INTEGER : Math.max(1, Math.floor(chunkEntries / latents))
  const encodeDense = (x: Tensor2D) => tf.tidy(() => encodeRows(architecture, params, config, x))

  return {
    architecture,
    width,
    outputs,
    latents,
    config,
    metadata,
    params,
    hash,
    encodeDense,

    encode(x) {
      const pieces: SparseLatents[] = []
      for (let start = 0; start < x.shape[0]; start += chunk) {
        const rows = Math.min(chunk, x.shape[0] - start)
        const dense = tf.tidy(() => encodeDense(x.slice([start, 0], [rows, width])))
        pieces.push(compressRows(dense.dataSync() as Float32Array, rows, latents))
        dense.dispose()
      }
      return stackSparse(pieces, latents)
    },

    decode(z, x) {
      return tf.tidy(() => {
        if ('offsets' in z) {
          if (z.rows <= chunk) return decodeRows(architecture, params, config, denseRows(z), x)
          const pieces: Tensor2D[] = []
          for (let start = 0; start < z.rows; start += chunk) {
            const end = Math.min(z.rows, start + chunk)
            const rows = x?.slice([start, 0], [end - start, width])
            pieces.push(tf.tidy(() => decodeRows(architecture, params, config, denseRows(z, start, end), rows)))
          }
          return tf.concat(pieces, 0)
        }
        return decodeRows(architecture, params, config, z, x)
      })
    },

    reconstruct(x) {
      return tf.tidy(() => decodeRows(architecture, params, config, encodeRows(architecture, params, config, x), x))
    },

    decoder() {
      if (normalisesRows(config))
        throw new UserError('This SAE normalises each row, so its decoder rows have no fixed place in the model.', {
          fix: 'Use an SAE that was trained without layer_norm or constant_norm_rescale.',
        })
      return tf.tidy(() => decoderRows(architecture, params).div<Tensor2D>(rowScaleOf(config)))
    },

    dispose() {
      tf.dispose(Object.values(params))
    },
  }
}

/** The sizes that the tensors imply; every tensor must agree with them. */
export function checkShapes(architecture: string, params: Readonly<Record<string, { shape: number[] }>>) {
  const sizes = impliedSizes(architecture, params)
  if (!sizes || Object.values(sizes).some(size => size < 1))
    throw new UserError(`The ${architecture} SAE lacks its matrices W_enc [width, latents] and W_dec [latents, width].`)
  for (const [name, shape] of Object.entries(tensorShapes(architecture, sizes, params))) {
    const given = params[name]?.shape
    if (given?.length !== shape.length || given.some((size, i) => size !== shape[i]))
      throw new UserError(
        `The ${architecture} SAE's ${name} ${given ? `has shape [${given}]` : 'is missing'}; it must be [${shape}].`,
      )
  }
  return sizes
}
