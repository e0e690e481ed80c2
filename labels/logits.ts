/** Logit effects: which tokens a latent's decoder row promotes and suppresses along the direct path. */
import type { Tensor2D } from '../engine/tf.ts'
import { tf } from '../engine/tf.ts'

/** A latent's strongest direct effects on the logits, per unit of activation. */
export interface LogitEffects {
  readonly promoted: readonly { token: number; effect: number }[]
  readonly suppressed: readonly { token: number; effect: number }[]
}

/**
 * Effects of every latent: decoder [latents, width] times unembedding [width, vocabulary], less its mean over the
 * vocabulary (a shift of all logits changes nothing). The final norm's scale is left out, so the values compare tokens
 * of one latent, not latents. `vocabulary` cuts padded rows off.
 */
export function logitEffects(
  decoder: Tensor2D,
  unembedding: Tensor2D,
  vocabulary: number,
  count: number,
): LogitEffects[] {
  const latents = decoder.shape[0]
  const chunk = Math.max(1, Math.floor(8_000_000 / vocabulary))
  const effects: LogitEffects[] = []
  for (let start = 0; start < latents; start += chunk) {
    const rows = Math.min(chunk, latents - start)
    const centred = tf.tidy(() => {
      const logits = tf.matMul(decoder.slice([start, 0], [rows, -1]), unembedding).slice([0, 0], [rows, vocabulary])
      return logits.sub(logits.mean(1, true)) as Tensor2D
    })
    const high = topTokens(centred, count)
    const negated = tf.neg(centred)
    const low = topTokens(negated, count)
    tf.dispose([centred, negated])
    for (let row = 0; row < rows; row++)
      effects.push({ promoted: list(high, row, count, 1), suppressed: list(low, row, count, -1) })
  }
  return effects
}

interface TopTokens {
  readonly values: Float32Array
  readonly indices: Int32Array
}

/** The `count` largest entries of each row, read to the host. */
function topTokens(logits: Tensor2D, count: number): TopTokens {
  const { values, indices } = tf.topk(logits, count)
  const read = { values: values.dataSync() as Float32Array, indices: indices.dataSync() as Int32Array }
  values.dispose()
  indices.dispose()
  return read
}

const list = ({ values, indices }: TopTokens, row: number, count: number, sign: number) =>
  Array.from({ length: count }, (_, i) => ({
    token: indices[row * count + i]!,
    effect: sign * values[row * count + i]!,
  }))
