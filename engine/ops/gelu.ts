/**
 * Bias and GELU in one pass. GELU is u Φ(u) (`erf`), or its approximation u · sigmoid(2 √(2/π) (u + 0.044715 u³)) (`tanh`):
 * Hendrycks & Gimpel 2016, arXiv:1606.08415.
 */
import { type Tensor, tf } from '../tf.ts'
import { callOp, canCall, noTensor } from './native.ts'

export type GeluForm = 'erf' | 'tanh'

/** The meaning of `gelu`, in tfjs ops that have gradients. */
export function plainGelu(x: Tensor, bias: Tensor | null, form: GeluForm): Tensor {
  return tf.tidy(() => {
    const u = bias ? x.add(bias) : x
    if (form === 'erf') return u.mul(u.mul(Math.SQRT1_2).erf().add(1).mul(0.5))
    const slope = 2 * Math.sqrt(2 / Math.PI)
    const inner = u.mul(
      u
        .square()
        .mul(slope * 0.044715)
        .add(slope),
    )
    return u.mul(inner.sigmoid())
  })
}

/**
 * GELU of x [..., n] plus a bias [n]. `reuse`: x is not needed any more and its memory may become the result's; only for a
 * tensor that is the caller's alone. Within 1e-6 of the exact value for |u| ≤ 8, and 2e-7 relative beyond.
 */
export function gelu(x: Tensor, bias: Tensor | null, form: GeluForm, options: { reuse?: boolean } = {}): Tensor {
  if (!canCall('PipelineGelu')) return plainGelu(x, bias, form)
  return tf.tidy(() => {
    const attributes = { erf: form === 'erf', reuse: options.reuse ?? false }
    return callOp('PipelineGelu', attributes, [x, bias ?? noTensor()], 1)[0]!
  })
}
