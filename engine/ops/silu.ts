/** The gated activation of Llama's MLP in one pass: silu(gate) · up. */
import { type Tensor, tf } from '../tf.ts'
import { callOp, canCall } from './native.ts'

/** The meaning of `siluMul`, in tfjs ops that have gradients. */
export function plainSiluMul(gate: Tensor, up: Tensor): Tensor {
  return tf.tidy(() => gate.mul(gate.sigmoid()).mul(up))
}

/** gate · sigmoid(gate) · up, for two tensors of one shape. */
export function siluMul(gate: Tensor, up: Tensor): Tensor {
  if (!canCall('PipelineSiluMul')) return plainSiluMul(gate, up)
  return callOp('PipelineSiluMul', {}, [gate, up], 1)[0]!
}
