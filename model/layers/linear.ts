/** Linear layers over the last axis of a tensor of any rank, as one 2-D product (broadcast products have no gradient). */
import { type LinearOptions, linear as linearOp } from '../../engine/ops/linear.ts'
import { type Tensor, tf } from '../../engine/tf.ts'

/** x W (`in-out`) or x Wᵀ (`out-in`), plus the bias, and what may follow it in the same op. */
export function linear(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  layout: 'in-out' | 'out-in',
  after: Pick<LinearOptions, 'gelu' | 'residual'> = {},
): Tensor {
  return linearOp(x, weight, { bias, layout, ...after })
}

/** Each head its own matrix: [batch, position, head, a] × [head, a, b] → [batch, position, head, b]. */
export function linearByHead(x: Tensor, weight: Tensor): Tensor {
  const [batch, positions, heads, inputs] = x.shape as [number, number, number, number]
  const outputs = weight.shape[2]!
  const rows = x.transpose([2, 0, 1, 3]).reshape([heads, batch * positions, inputs])
  return tf.matMul(rows, weight).reshape([heads, batch, positions, outputs]).transpose([1, 2, 0, 3])
}
