/**
 * Causal attention, with grouped keys and values, sliding windows and soft-capped scores.
 *
 *   scores  = cap(scale · q kᵀ) + alibi + mask      [batch, head, query, key]
 *   pattern = softmax(scores)
 *   z       = pattern v                     [batch, position, head, headDim]
 *
 * Query head h reads key/value head ⌊h / (heads / kvHeads)⌋; q [batch, position, head, headDim], k and v
 * [batch, position, kvHead, headDim].
 */
import { attention as attentionOp } from '../../engine/ops/attention.ts'
import { canCall } from '../../engine/ops/native.ts'
import { type Tensor, type Tensor3D, tf } from '../../engine/tf.ts'

export interface AttentionOptions {
  readonly scale: number
  /** Keys a query sees, itself included; null sees all before it. */
  readonly window: number | null
  /** Scores become cap · tanh(scores / cap) before the mask. */
  readonly cap: number | null
  /** Added to the scores of each head by the key's position [heads, positions]. */
  readonly alibi?: Float32Array | null
  /** A score of each head that stands beside those of the keys and has no value [heads]. */
  readonly sinks?: Tensor | null
}

/** The masks last used, as plain numbers: a run needs one for every block, and the next run most often the same. */
const masks = new Map<string, Float32Array>()
const keptMasks = 4

/** 0 where a query may look and −∞ elsewhere, [query, key]. */
export function causalMask(positions: number, window: number | null): Tensor {
  const key = `${positions} ${window}`
  let mask = masks.get(key)
  if (!mask) {
    mask = new Float32Array(positions * positions)
    for (let query = 0; query < positions; query++) {
      const row = mask.subarray(query * positions, (query + 1) * positions)
      row.fill(-Infinity, query + 1)
      if (window !== null && query >= window) row.fill(-Infinity, 0, query - window + 1)
    }
    if (masks.size >= keptMasks) masks.delete(masks.keys().next().value!)
    masks.set(key, mask)
  }
  return tf.tensor2d(mask, [positions, positions])
}

/** Scores after scale, cap and mask, [batch, head, query, key]. */
export function attentionScores(q: Tensor, k: Tensor, options: AttentionOptions): Tensor {
  const [batch, positions, heads, headDim] = q.shape as [number, number, number, number]
  const kvHeads = k.shape[2]!
  // Heads that share keys are stacked along the query axis, so that no key is copied.
  const queries = q.mul(options.scale).transpose([0, 2, 1, 3])
  const grouped = queries.reshape([batch, kvHeads, (heads / kvHeads) * positions, headDim])
  const products = tf.matMul(grouped, k.transpose([0, 2, 1, 3]), false, true)
  const scores = products.reshape([batch, heads, positions, positions])
  const capped = options.cap === null ? scores : scores.div(options.cap).tanh().mul(options.cap)
  const biased = options.alibi ? capped.add(tf.tensor4d(options.alibi, [1, heads, 1, positions])) : capped
  return biased.add(causalMask(positions, options.window))
}

/** Each query's shares of the keys it sees; where there are sinks they sum to less than one. */
export function attentionPattern(scores: Tensor, sinks: Tensor | null | undefined): Tensor {
  if (!sinks) return scores.softmax()
  const [batch, heads, positions] = scores.shape as [number, number, number]
  const column = tf.tile(sinks.reshape([1, heads, 1, 1]), [batch, 1, positions, 1])
  return tf.concat([scores, column], -1).softmax().slice([0, 0, 0, 0], [batch, heads, positions, positions])
}

/** Each head's mix of values, [batch, position, head, headDim]. */
export function attentionMix(pattern: Tensor, v: Tensor): Tensor {
  const [batch, heads, positions] = pattern.shape as [number, number, number]
  const [, , kvHeads, headDim] = v.shape as [number, number, number, number]
  const grouped = pattern.reshape([batch, kvHeads, (heads / kvHeads) * positions, positions])
  const mixed = tf.matMul(grouped, v.transpose([0, 2, 1, 3]))
  return mixed.reshape([batch, heads, positions, headDim]).transpose([0, 2, 1, 3])
}

/** z of the whole attention, for when nobody asks for scores or pattern. */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): Tensor {
  if (canCall('PipelineAttention') && !options.alibi && !options.sinks) {
    const [batch, positions, heads, headDim] = q.shape as [number, number, number, number]
    const rows = (x: Tensor) => ({ rows: x.reshape([batch, positions, x.shape[2]! * headDim]) as Tensor3D })
    const { scale, window, cap } = options
    const shape = { scale, window, cap, heads, kvHeads: k.shape[2]!, headDim }
    return tf.tidy(() => attentionOp(rows(q), rows(k), rows(v), shape).reshape(q.shape))
  }
  return tf.tidy(() => attentionMix(attentionPattern(attentionScores(q, k, options), options.sinks), v))
}

/**
 * z of the last positions alone, whose keys and values come behind those of a prefix [1, before, kvHead, headDim] that all rows
 * share. Queries of the prefix are zeros whose z is thrown away: next to the rest of a block, attention costs little.
 */
export function attentionBehind(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { keys, values }: { readonly keys: Tensor; readonly values: Tensor },
  options: AttentionOptions,
): Tensor {
  return tf.tidy(() => {
    const [batch, positions, heads, headDim] = q.shape as [number, number, number, number]
    const before = keys.shape[1]!
    const behind = (prefix: Tensor, own: Tensor) => tf.concat([prefix.tile([batch, 1, 1, 1]), own], 1)
    const padded = tf.concat([tf.zeros([batch, before, heads, headDim]), q], 1)
    const all = attention(padded, behind(keys, k), behind(values, v), options)
    return all.slice([0, before, 0, 0], [batch, positions, heads, headDim])
  })
}
