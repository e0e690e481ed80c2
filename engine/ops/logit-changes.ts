/**
 * What changes of the values that logits are a product of do to predictions, without logits in memory:
 *
 *   d = scale · x W,   normaliser = ln Σ_v p_v e^{d_v},   mean = Σ_v p_v d_v,   next = d_next
 *
 * KL(before ‖ after) is normaliser − mean, the change of a loss normaliser − next. x = 0 gives exactly 0, and no change is so large
 * that the normaliser would not be a number.
 */
import { type Tensor, type Tensor2D, tf } from '../tf.ts'
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

/**
 * ln Σ_v p_v e^{d_v} over the last axis of d and p [..., vocabulary].
 *
 * It is log1p Σ p expm1(d), which takes nothing large from something large. Where that sum is near −1, or overflows, an edit has
 * changed the prediction beyond what rounding leaves of it, and it is ln Σ e^{ln p + d}.
 */
export function logMeanExp(d: Tensor, p: Tensor): Tensor {
  return tf.tidy(() => {
    const less = d.expm1().mul(p).sum(-1)
    const isKept = less.greater(-0.5).logicalAnd(less.less(1e30))
    if (isKept.all().dataSync()[0]) return less.log1p()
    return tf.where(isKept, less.log1p(), p.log().add(d).logSumExp(-1))
  })
}

/** The meaning of `logitChanges`. */
export function plainLogitChanges(x: Tensor2D, options: LogitChangesOptions): Tensor2D {
  return tf.tidy(() => {
    const { weight, scale, probabilities, positions, next } = options
    const d = tf.matMul(x, weight, false, true).mul(scale)
    const shares = probabilities.gather(tf.tensor1d(positions))
    const wanted = tf.oneHot(tf.tensor1d(next), weight.shape[0])
    const columns = [logMeanExp(d, shares), d.mul(shares).sum(-1), d.mul(wanted).sum(-1)]
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
