/** Logit effects: which tokens a latent's decoder row promotes and suppresses along the direct path. */

import { onHost } from '../../engine/host.ts'
import type { Tensor2D } from '../../engine/tf.ts'
import { tf } from '../../engine/tf.ts'
import type { Histogram } from '../feature.ts'
import { histogramOf } from './activity.ts'
import type { Rows } from './nearest.ts'

/** A latent's direct effects on the logits, per unit of activation. */
export interface LogitEffects {
  readonly promoted: readonly { token: number; effect: number }[]
  readonly suppressed: readonly { token: number; effect: number }[]
  /** Effects on all tokens, in 50 equal bins from the least to the largest. */
  readonly histogram: Histogram
}

/** Entries of the products that are there at once, and bins of the histogram. */
const productEntries = 8_000_000
const bins = 50

/**
 * Effects of latents, of all or of some rows: decoder [latents, width] times unembedding [width, vocabulary], less its mean over the
 * vocabulary (a shift of all logits changes nothing). The final norm's scale is left out, so the values compare tokens
 * of one latent, not latents. `vocabulary` cuts padded rows off.
 */
export function* logitEffects(
  decoder: Tensor2D,
  unembedding: Tensor2D,
  vocabulary: number,
  count: number,
  { from, to }: Rows = { from: 0, to: decoder.shape[0] },
): Generator<LogitEffects> {
  const chunk = Math.max(1, Math.floor(productEntries / vocabulary))
  const most = Math.min(count, vocabulary)
  for (let start = from; start < to; start += chunk) {
    const rows = Math.min(chunk, to - start)
    const { high, low, all } = onHost(() => {
      const logits = tf.matMul(decoder.slice([start, 0], [rows, -1]), unembedding).slice([0, 0], [rows, vocabulary])
      const centred = logits.sub(logits.mean(1, true)) as Tensor2D
      return {
        high: topTokens(centred, most),
        low: topTokens(tf.neg(centred), most),
        all: centred.dataSync<'float32'>(),
      }
    })
    for (let row = 0; row < rows; row++)
      yield {
        promoted: list(high, row, most, 1),
        suppressed: list(low, row, most, -1),
        histogram: histogramOf(
          all.subarray(row * vocabulary, (row + 1) * vocabulary),
          { low: -low.values[row * most]!, high: high.values[row * most]! },
          bins,
        ),
      }
  }
}

interface TopTokens {
  readonly values: Float32Array
  readonly indices: Int32Array
}

/** The `count` largest entries of each row, read to the host. */
function topTokens(logits: Tensor2D, count: number): TopTokens {
  const { values, indices } = tf.topk(logits, count)
  return { values: values.dataSync<'float32'>(), indices: indices.dataSync<'int32'>() }
}

const list = ({ values, indices }: TopTokens, row: number, count: number, sign: number) =>
  Array.from({ length: count }, (_, i) => ({
    token: indices[row * count + i]!,
    effect: sign * values[row * count + i]!,
  }))
