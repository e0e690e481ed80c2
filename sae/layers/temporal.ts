/**
 * Temporal SAE: codes of a row that attention over the rows before it predicts, and sparse codes of what is new.
 * Lubana et al. 2025, "Priors in time", arXiv:2511.01836; as SAELens 6.54 computes it.
 *
 *   for each attention layer, r₀ = x:
 *     z    = relu(λ r W_enc)                        λ = 1 / (4 width)
 *     p    = relu(attention(keys and values of z one row back, queries of z))
 *     s    = ⟨p W_dec, r⟩ / (‖p W_dec‖ + ε)²         predicted += s p          r ← r − s p W_dec
 *   novel  = relu(λ r W_enc), of each row the k largest
 *   x̂      = (novel + predicted) W_dec + b_dec
 *
 * Latents are the novel codes. Rows given together are one sequence, in its order.
 */
import { type Tensor, type Tensor1D, type Tensor2D, type Tensor3D, tf } from '../../engine/tf.ts'
import { topK } from './activations.ts'

export interface TemporalWeights {
  /** [width, latents] */
  readonly wEnc: Tensor2D
  /** [latents, width] */
  readonly wDec: Tensor2D
  /** Tensors under the names that SAELens gives them. */
  readonly attention: Readonly<Record<string, Tensor>>
}

export interface TemporalConfig {
  readonly heads: number
  /** Novel codes kept of each row; all that are above 0 where undefined. */
  readonly k: number | undefined
}

export interface TemporalCodes {
  readonly novel: Tensor2D
  readonly predicted: Tensor2D
}

const parts = ['k_ctx', 'q_target', 'v_ctx', 'c_proj'] as const
const epsilon = 1e-6

/** Attention layers that tensors of these names make up. */
export function attentionLayers(names: readonly string[]): number {
  return new Set(names.flatMap(name => /^attn_layers\.(\d+)\./.exec(name)?.[1] ?? [])).size
}

/** Names and shapes of the attention's tensors; keys and queries have `keys` values over all heads. */
export function attentionShapes(layers: number, latents: number, keys: number): Record<string, number[]> {
  const shapes: Record<string, number[]> = {}
  for (let layer = 0; layer < layers; layer++)
    for (const part of parts) {
      const outputs = part === 'k_ctx' || part === 'q_target' ? keys : latents
      shapes[`attn_layers.${layer}.${part}.weight`] = [outputs, latents]
      shapes[`attn_layers.${layer}.${part}.bias`] = [outputs]
    }
  return shapes
}

/** The codes of a sequence [positions, width]. */
export function temporalCodes(x: Tensor2D, weights: TemporalWeights, { heads, k }: TemporalConfig): TemporalCodes {
  const { wEnc, wDec, attention } = weights
  const encode = (rows: Tensor2D) => tf.relu(tf.matMul(rows.mul<Tensor2D>(1 / (4 * x.shape[1])), wEnc)) as Tensor2D
  let residual = x
  let predicted = tf.zeros([x.shape[0], wDec.shape[0]]) as Tensor2D
  for (let layer = 0; layer < attentionLayers(Object.keys(attention)); layer++) {
    const codes = tf.relu(attend(encode(residual), attention, layer, heads)) as Tensor2D
    const direction = tf.matMul(codes, wDec) as Tensor2D
    const norm = direction.norm(2, 1, true).add(epsilon)
    const share = direction.mul(residual).sum(1, true).div<Tensor2D>(norm.square())
    predicted = predicted.add(codes.mul(share))
    residual = residual.sub(direction.mul(share))
  }
  const novel = encode(residual)
  return { novel: k === undefined ? novel : topK(novel, k), predicted }
}

/** Causal attention of each row over the rows before it: keys and values are those of one row back, zero for the first. */
function attend(z: Tensor2D, tensors: Readonly<Record<string, Tensor>>, layer: number, heads: number): Tensor2D {
  const [positions] = z.shape
  const linear = (part: (typeof parts)[number], rows: Tensor2D) =>
    tf
      .matMul(rows, tensors[`attn_layers.${layer}.${part}.weight`] as Tensor2D, false, true)
      .add<Tensor2D>(tensors[`attn_layers.${layer}.${part}.bias`] as Tensor1D)
  const split = (rows: Tensor2D) =>
    rows.reshape<Tensor3D>([positions, heads, rows.shape[1] / heads]).transpose<Tensor3D>([1, 0, 2])
  const before = z.slice([0, 0], [positions - 1, -1]).pad<Tensor2D>([
    [1, 0],
    [0, 0],
  ])
  const [keys, values, queries] = [linear('k_ctx', before), linear('v_ctx', before), linear('q_target', z)]
  const scores = tf.matMul(split(queries), split(keys), false, true).mul(1 / Math.sqrt(keys.shape[1] / heads))
  const later = tf.sub(1, tf.linalg.bandPart(tf.ones([positions, positions]), -1, 0)).mul(-1e30)
  const mixed = tf.matMul(tf.softmax(scores.add(later)), split(values)) as Tensor3D
  return linear('c_proj', mixed.transpose([1, 0, 2]).reshape<Tensor2D>([positions, values.shape[1]]))
}
