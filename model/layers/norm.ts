/**
 * Layer norm and RMS norm over the last axis.
 *
 *   layer: normalized = (x − mean x) / s,  s = √(mean (x − mean x)² + ε)
 *   rms:   normalized = x / s,             s = √(mean x² + ε)
 *
 * Gain and bias are applied by the caller, so that `hook_normalized` is what it is elsewhere: the value before them.
 */
import { type Tensor, tf } from '../../engine/tf.ts'

/** (x − mean x) / s over the last axis of a tensor of any rank. */
export function layerNorm<T extends Tensor>(x: T, epsilon: number): T {
  // The gradient in closed form: (dy − mean dy − y · mean(dy · y)) / s, a third of the ops that autodiff would record.
  return tf.customGrad((input, save) => {
    const centred = (input as Tensor).sub((input as Tensor).mean(-1, true))
    const inverse = centred.square().mean(-1, true).add(epsilon).rsqrt()
    const value = centred.mul(inverse)
    ;(save as (tensors: Tensor[]) => void)([value, inverse])
    const gradFunc = (dy: Tensor, saved: Tensor[]) => {
      const [y, r] = saved as [Tensor, Tensor]
      const along = y.mul(dy.mul(y).mean(-1, true))
      return dy.sub(dy.mean(-1, true)).sub(along).mul(r)
    }
    return { value, gradFunc }
  })(x) as T
}

/** x / s over the last axis of a tensor of any rank. */
export function rmsNorm<T extends Tensor>(x: T, epsilon: number): T {
  return tf.customGrad((input, save) => {
    const inverse = (input as Tensor).square().mean(-1, true).add(epsilon).rsqrt()
    const value = (input as Tensor).mul(inverse)
    ;(save as (tensors: Tensor[]) => void)([value, inverse])
    const gradFunc = (dy: Tensor, saved: Tensor[]) => {
      const [y, r] = saved as [Tensor, Tensor]
      return dy.sub(y.mul(dy.mul(y).mean(-1, true))).mul(r)
    }
    return { value, gradFunc }
  })(x) as T
}

/** What the norm divides, and by what: x − mean x (layer) or x (rms), and s with a last axis of 1. */
export function normParts(x: Tensor, kind: 'layer' | 'rms', epsilon: number): { centred: Tensor; scale: Tensor } {
  const centred = kind === 'layer' ? x.sub(x.mean(-1, true)) : x
  return { centred, scale: centred.square().mean(-1, true).add(epsilon).sqrt() }
}
