/**
 * The equations of cross-layer transcoders: an encoder for each of L layers, and decoders from each to all later ones.
 *
 *   π_l  = x_l W_enc,l + b_enc,l
 *   ŷ_t  = Σ_{l ≤ t} z_l W_dec,l→t + b_dec,t, and + x_t W_skip,tᵀ where there is a linear path beside the latents
 *
 * Layers lie side by side: input rows are [L · width], latents [L · latents], targets [L · width of a target].
 */
import { type Tensor1D, type Tensor2D, type Tensor3D, tf } from '../../engine/tf.ts'
import { addBias } from './summation.ts'

export interface LayerWeights {
  /** [layers, width, latents] */
  readonly wEnc: Tensor3D
  /** [layers · latents] */
  readonly bEnc: Tensor1D
  /** For each layer l: [latents, (layers − l) · width of a target], its own layer's target first. */
  readonly wDec: readonly Tensor2D[]
  /** [layers · width of a target] */
  readonly bDec: Tensor1D
}

/** Pre-activations [rows, layers · latents]. */
export function layerPreActivations({ wEnc, bEnc }: Pick<LayerWeights, 'wEnc' | 'bEnc'>, input: Tensor2D): Tensor2D {
  const [layers, width, latents] = wEnc.shape
  const rows = input.shape[0]
  const each = Array.from({ length: layers }, (_, l) =>
    tf.matMul(
      input.slice([0, l * width], [rows, width]),
      wEnc.slice([l, 0, 0], [1, width, latents]).reshape<Tensor2D>([width, latents]),
    ),
  )
  return tf.concat(each as Tensor2D[], 1).add(bEnc)
}

/** Reconstruction [rows, layers · width of a target]. */
export function decodeLayers({ wDec, bDec }: Pick<LayerWeights, 'wDec' | 'bDec'>, latents: Tensor2D): Tensor2D {
  const rows = latents.shape[0]
  const each = latents.shape[1] / wDec.length
  const outputs = bDec.shape[0]
  const parts = wDec.map((weight, l) => {
    const part = tf.matMul(latents.slice([0, l * each], [rows, each]), weight) as Tensor2D
    return tf.pad(part, [
      [0, 0],
      [outputs - weight.shape[1], 0],
    ])
  })
  return addBias(tf.addN(parts) as Tensor2D, bDec)
}

/** What linear paths [layers, width of a target, width] give of each layer's row; [rows, layers · width of a target]. */
export function skipLayers(wSkip: Tensor3D, input: Tensor2D): Tensor2D {
  const [layers, outputs, width] = wSkip.shape
  const rows = input.shape[0]
  const each = Array.from({ length: layers }, (_, l) =>
    tf.matMul(
      input.slice([0, l * width], [rows, width]),
      wSkip.slice([l, 0, 0], [1, outputs, width]).reshape<Tensor2D>([outputs, width]),
      false,
      true,
    ),
  )
  return tf.concat(each as Tensor2D[], 1)
}

/** Norm of each latent's decoder row over all layers it writes to; [layers · latents]. */
export function layerNorms(wDec: readonly Tensor2D[]): Tensor1D {
  return tf.concat(wDec.map(weight => tf.sqrt(weight.square().sum<Tensor1D>(1))))
}

/** Decoder rows [layers · latents, layers · width of a target], zero for the layers before. */
export function decoderOfLayers(wDec: readonly Tensor2D[], outputs: number): Tensor2D {
  return tf.tidy(() =>
    tf.concat(
      wDec.map(weight =>
        tf.pad(weight, [
          [0, 0],
          [outputs - weight.shape[1], 0],
        ]),
      ),
      0,
    ),
  )
}
