/** Linear layers over the last axis of a tensor of any rank, as one 2-D product (broadcast products have no gradient). */
import { type Tensor, type Tensor1D, type Tensor2D, tf } from '../../engine/tf.ts'

/** x W (`in-out`) or x Wᵀ (`out-in`), plus the bias. */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null, layout: 'in-out' | 'out-in'): Tensor {
  const inputs = x.shape.at(-1)!
  const outputs = weight.shape[layout === 'in-out' ? 1 : 0]!
  const product = tf.matMul(x.reshape([-1, inputs]) as Tensor2D, weight as Tensor2D, false, layout === 'out-in')
  const result = bias ? product.add(bias as Tensor1D) : product
  return result.reshape([...x.shape.slice(0, -1), outputs])
}

/** Each head its own matrix: [batch, position, head, a] × [head, a, b] → [batch, position, head, b]. */
export function linearByHead(x: Tensor, weight: Tensor): Tensor {
  const [batch, positions, heads, inputs] = x.shape as [number, number, number, number]
  const outputs = weight.shape[2]!
  const rows = x.transpose([2, 0, 1, 3]).reshape([heads, batch * positions, inputs])
  return tf.matMul(rows, weight).reshape([heads, batch, positions, outputs]).transpose([1, 2, 0, 3])
}
