/**
 * What changes of the values that logits are a product of do to predictions, without logits in memory:
 *
 *   d = scale · x W,   normaliser = ln Σ_v p_v e^{d_v},   mean = Σ_v p_v d_v,   next = d_next
 *
 * KL(before ‖ after) is normaliser − mean, the change of a loss normaliser − next. x = 0 gives exactly 0.
 */
import { type Tensor2D, tf } from '../tf.ts'
import { callOp, canCall } from './native.ts'

export interface LogitChangesOptions {
  /** The unembedding [vocabulary, width]. */
  readonly weight: Tensor2D
  readonly scale: number
  /** Predictions before the change [position, vocabulary]. */
  readonly probabilities: Tensor2D
  /** The position of each row of x. */
  readonly positions: Int32Array
  /** The token that follows each row, or −1 for none. */
  readonly next: Int32Array
}

/** The meaning of `logitChanges`. */
export function plainLogitChanges(x: Tensor2D, options: LogitChangesOptions): Tensor2D {
  return tf.tidy(() => {
    const { weight, scale, probabilities, positions, next } = options
    const d = tf.matMul(x, weight, false, true).mul(scale)
    const shares = probabilities.gather(tf.tensor1d(positions))
    const wanted = tf.oneHot(tf.tensor1d(next), weight.shape[0])
    const columns = [d.expm1().mul(shares).sum(-1).log1p(), d.mul(shares).sum(-1), d.mul(wanted).sum(-1)]
    return tf.stack(columns, 1) as Tensor2D
  })
}

/** Normaliser, mean and next of each row of x [rows, width]: [rows, 3]. */
export function logitChanges(x: Tensor2D, options: LogitChangesOptions): Tensor2D {
  if (!canCall('PipelineLogitChanges')) return plainLogitChanges(x, options)
  return tf.tidy(() => {
    const { weight, scale, probabilities, positions, next } = options
    const inputs = [x, weight, probabilities, tf.tensor1d(positions), tf.tensor1d(next)]
    return callOp('PipelineLogitChanges', { scale: { float: scale } }, inputs, 1)[0] as Tensor2D
  })
}
