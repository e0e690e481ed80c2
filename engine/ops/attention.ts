/**
 * Causal attention straight from rows of queries, keys and values, without transposes and without a pattern in memory:
 *
 *   scores = cap · tanh(scale · (q + qBias)(k + kBias)ᵀ / cap),  z = softmax(scores over the keys seen) (v + vBias)
 *
 * Query head h reads key/value head ⌊h / (heads / kvHeads)⌋.
 */
import { type Tensor, type Tensor3D, tf } from '../tf.ts'
import { callOp, canCall, noTensor } from './native.ts'

export interface AttentionShape {
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly scale: number
  /** Keys a query sees, itself included; null sees all before it. */
  readonly window?: number | null
  /** Scores become cap · tanh(scores / cap); null leaves them. */
  readonly cap?: number | null
}

/** Where a projection's heads lie: rows [batch, position, n], from `offset` on; and the bias [n] of such a row, or none. */
export interface Projection {
  readonly rows: Tensor3D
  readonly offset?: number
  readonly bias?: Tensor | null
}

/** The meaning of `attention`, in tfjs ops that have gradients. */
export function plainAttention(q: Projection, k: Projection, v: Projection, shape: AttentionShape): Tensor3D {
  return tf.tidy(() => {
    const { heads, kvHeads, headDim, scale, window = null, cap = null } = shape
    const [batch, positions] = q.rows.shape
    const headsOf = ({ rows, offset = 0, bias }: Projection, count: number) => {
      const biased = bias ? rows.add(bias) : rows
      const own = biased.slice([0, 0, offset], [batch, positions, count * headDim])
      return own.reshape([batch, positions, count, headDim]).transpose([0, 2, 1, 3])
    }
    const group = (heads / kvHeads) * positions
    const queries = headsOf(q, heads).reshape([batch, kvHeads, group, headDim])
    const products = tf.matMul(queries.mul(scale), headsOf(k, kvHeads), false, true)
    const capped = cap === null ? products : products.div(cap).tanh().mul(cap)
    const scores = capped.reshape([batch, heads, positions, positions]).add(maskOf(positions, window))
    const pattern = scores.softmax().reshape([batch, kvHeads, group, positions])
    const mixed = tf.matMul(pattern, headsOf(v, kvHeads)).reshape([batch, heads, positions, headDim])
    return mixed.transpose([0, 2, 1, 3]).reshape([batch, positions, heads * headDim]) as Tensor3D
  })
}

/** z of every head, [batch, position, heads · headDim]; heads side by side as an output projection reads them. */
export function attention(q: Projection, k: Projection, v: Projection, shape: AttentionShape): Tensor3D {
  if (!canCall('PipelineAttention')) return plainAttention(q, k, v, shape)
  return tf.tidy(() => {
    const attributes = {
      heads: { int: shape.heads },
      kv_heads: { int: shape.kvHeads },
      head_dim: { int: shape.headDim },
      q_offset: { int: q.offset ?? 0 },
      k_offset: { int: k.offset ?? 0 },
      v_offset: { int: v.offset ?? 0 },
      window: { int: shape.window ?? 0 },
      scale: { float: shape.scale },
      cap: { float: shape.cap ?? 0 },
    }
    const biases = [q, k, v].map(({ bias }) => bias ?? noTensor())
    return callOp('PipelineAttention', attributes, [q.rows, k.rows, v.rows, ...biases], 1)[0] as Tensor3D
  })
}

function maskOf(positions: number, window: number | null): Tensor {
  const mask = new Float32Array(positions * positions)
  for (let query = 0; query < positions; query++)
    for (let key = 0; key < positions; key++)
      if (key > query || (window !== null && key <= query - window)) mask[query * positions + key] = -Infinity
  return tf.tensor2d(mask, [positions, positions])
}
