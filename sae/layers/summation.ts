/**
 * Sums in a fixed order of blocks, so that rounding grows with the logarithm of the number of terms, and does so the same
 * way everywhere: four interleaved partial sums, each in blocks of 16, of 16 blocks, and so on.
 *
 * It is the order of PyTorch's CPU kernels. Where a sum is zero but for rounding, as the gradient of a decoder bias that
 * starts at the mean, Adam's first step turns that rounding into a step of full size; only with equal order do two
 * libraries take the same one.
 */
import { type Scalar, type Tensor, type Tensor1D, type Tensor2D, tf } from '../../engine/tf.ts'

const block = 16
const interleaved = 4
const lanes = 8

/** Column sums of a matrix; [columns]. */
export function columnSums(x: Tensor2D): Tensor1D {
  return tf.tidy(() => {
    const [rows, columns] = x.shape
    const steps = Math.floor(rows / interleaved)
    const left = x.slice([steps * interleaved, 0])
    if (steps === 0) return chain(left) as Tensor1D
    const partial = cascade(x.slice([0, 0], [steps * interleaved, columns]).reshape([steps, interleaved, columns]))
    const [first, ...others] = tf.unstack(partial)
    const withLeft = left.shape[0] > 0 ? tf.unstack(left).reduce((sum, row) => sum.add(row), first!) : first!
    return others.reduce((sum, part) => sum.add(part), withLeft) as Tensor1D
  })
}

/** Sum of all entries. */
export function totalSum(x: Tensor): Scalar {
  return tf.tidy(() => {
    const whole = Math.floor(x.size / lanes)
    const flat = x.reshape([x.size])
    const left = flat.slice([whole * lanes])
    const start = left.size > 0 ? chain(left) : tf.scalar(0)
    if (whole === 0) return start as Scalar
    const byLane = columnSums(flat.slice([0], [whole * lanes]).reshape([whole, lanes]))
    return tf.unstack(byLane).reduce((sum, lane) => sum.add(lane), start) as Scalar
  })
}

/** Sum over the first axis in blocks of 16, of 16 blocks, of 16 of those. */
function cascade(x: Tensor): Tensor {
  const parts: Tensor[] = []
  let level = x
  for (let depth = 0; depth < 3 && level.shape[0]! >= block; depth++) {
    const [length, ...rest] = level.shape as [number, ...number[]]
    const blocks = Math.floor(length / block)
    if (length > blocks * block) parts.push(chain(level.slice([blocks * block])))
    const whole = level.slice(0, blocks * block).reshape([blocks, block, ...rest])
    level = tf.unstack(whole, 1).reduce((sum, part) => sum.add(part))
  }
  parts.push(chain(level))
  return parts.reduce((sum, part) => sum.add(part))
}

/** Sum over the first axis, one after the other. */
function chain(x: Tensor): Tensor {
  return tf.unstack(x).reduce((sum, part) => sum.add(part))
}

/** x + bias for every row, where the bias's gradient is summed in that order. */
export function addBias(x: Tensor2D, bias: Tensor1D): Tensor2D {
  return tf.customGrad((...args: unknown[]) => {
    const [rows, shift] = args as [Tensor2D, Tensor1D]
    return { value: rows.add(shift), gradFunc: (dy: Tensor) => [dy, columnSums(dy as Tensor2D)] }
  })(x, bias) as Tensor2D
}
