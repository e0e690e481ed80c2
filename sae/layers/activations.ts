/**
 * Activation functions of SAEs with the gradients training needs: tfjs has none for top-k and comparisons, so each is a
 * custom gradient whose mask is found outside the tape.
 */
import { type Tensor, type Tensor1D, type Tensor2D, tf } from '../../engine/tf.ts'
import { firstLargest, nthLargestPositive } from './select.ts'

/** The same values without their history: no gradient flows back, and none is computed. */
export function detach<T extends Tensor>(x: T): T {
  tf.backend().incRef(x.dataId)
  return tf.engine().makeTensorFromTensorInfo({ dataId: x.dataId, shape: x.shape, dtype: x.dtype }) as T
}

/** 1 at the k largest entries of each row, else 0; ties go to the lower index. */
function topMask(x: Tensor2D, k: number): Tensor2D {
  return tf.tidy(() => {
    const [rows] = x.shape
    const columns = tf.topk(x, k, true).indices
    const places = tf.stack([rowNumbers(rows, k), columns.reshape([rows * k])], 1)
    return tf.scatterND(places as Tensor2D, tf.ones([rows * k]), x.shape) as Tensor2D
  })
}

/**
 * 1 at the `count` largest positive entries of the whole matrix, else 0; ties at the last place go to the lower row, then
 * the lower column.
 */
function topMaskOfAll(x: Tensor2D, count: number): Tensor2D {
  const values = x.dataSync() as Float32Array
  const least = nthLargestPositive(values, count)
  return tf.tidy(() => {
    if (least === 0) return tf.greater(x, 0).cast('float32')
    const mask = tf.greaterEqual(x, least).cast('float32') as Tensor2D
    if (mask.sum().dataSync()[0] === count) return mask
    return tf.tensor2d(firstLargest(values, least, count), x.shape)
  })
}

function rowNumbers(rows: number, each: number): Tensor1D {
  const numbers = new Int32Array(rows * each)
  for (let i = 0; i < numbers.length; i++) numbers[i] = Math.floor(i / each)
  return tf.tensor1d(numbers, 'int32')
}

/** x where `choose` says 1, else 0; the gradient passes where the value does. */
function keep(x: Tensor2D, choose: (x: Tensor2D) => Tensor2D): Tensor2D {
  return tf.customGrad((input, save) => {
    const mask = choose(input as Tensor2D)
    ;(save as (tensors: Tensor[]) => void)([mask])
    return {
      value: (input as Tensor2D).mul<Tensor2D>(mask),
      gradFunc: (dy: Tensor, saved: Tensor[]) => dy.mul(saved[0]!),
    }
  })(x) as Tensor2D
}

/** The k largest of each row, the rest 0. With `allowed` [latents] of 0 and 1, only allowed columns are chosen. */
export function topK(x: Tensor2D, k: number, allowed?: Tensor1D): Tensor2D {
  return keep(x, input => {
    const most = Math.min(k, input.shape[1])
    return allowed ? topMask(tf.where(allowed.toBool(), input, -3e38) as Tensor2D, most) : topMask(input, most)
  })
}

/** The k largest of each row by absolute value, with their signs, the rest 0; `allowed` as in `topK`. */
export function absTopK(x: Tensor2D, k: number, allowed?: Tensor1D): Tensor2D {
  const kept = keep(x, input => {
    const size = input.abs() as Tensor2D
    return topMask(allowed ? (tf.where(allowed.toBool(), size, -1) as Tensor2D) : size, Math.min(k, input.shape[1]))
  })
  // A negative number times 0 is −0.
  return kept.add(0)
}

/** The `count` largest positive entries of the whole matrix, the rest 0. */
export function batchTopK(x: Tensor2D, count: number): Tensor2D {
  return keep(x, input => topMaskOfAll(input, count))
}

/** x where x > threshold, else 0: JumpReLU of inference. `threshold` is [latents] or a scalar. */
export function above(x: Tensor2D, threshold: Tensor | number): Tensor2D {
  return tf.tidy(() => x.mul<Tensor2D>(tf.greater(x, threshold).cast('float32')))
}

/**
 * JumpReLU with the straight-through gradient of its threshold (Rajamanoharan et al. 2407.14435, eq. 11):
 *
 *   f    = x · 1[x > θ]
 *   ∂f/∂x = 1[x > θ]          ∂f/∂θ = −(θ/ε) · 1[|x − θ| < ε/2]
 *
 * `toInput` gives x the whole jump's smoothed gradient as well (Anthropic, January 2025).
 */
export function jumpRelu(x: Tensor2D, threshold: Tensor1D, bandwidth: number, toInput = false): Tensor2D {
  return tf.customGrad((...args: unknown[]) => {
    const [input, theta, save] = args as [Tensor2D, Tensor1D, (tensors: Tensor[]) => void]
    const open = tf.greater(input, theta).cast('float32')
    const near = window(input, theta, bandwidth)
    save([open, near, theta])
    return {
      value: input.mul(open),
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [isOpen, isNear, at] = saved as [Tensor2D, Tensor2D, Tensor1D]
        const jump = isNear.mul(at).div<Tensor2D>(bandwidth)
        const toX = toInput ? isOpen.add(jump) : isOpen
        return [dy.mul(toX), dy.mul(jump).sum(0).neg()]
      },
    }
  })(x, threshold) as Tensor2D
}

/** 1 where x > threshold, else 0, with the straight-through gradient −(1/ε) · 1[|x − θ| < ε/2] of the threshold. */
export function step(x: Tensor2D, threshold: Tensor1D, bandwidth: number, toInput = false): Tensor2D {
  return tf.customGrad((...args: unknown[]) => {
    const [input, theta, save] = args as [Tensor2D, Tensor1D, (tensors: Tensor[]) => void]
    const near = window(input, theta, bandwidth)
    save([near])
    return {
      value: tf.greater(input, theta).cast('float32'),
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const smooth = dy.mul(saved[0]!).div(bandwidth)
        return [toInput ? smooth : tf.zerosLike(dy), smooth.sum(0).neg()]
      },
    }
  })(x, threshold) as Tensor2D
}

/** 1 where x lies less than half a bandwidth from the threshold, else 0. */
function window(x: Tensor2D, threshold: Tensor1D, bandwidth: number): Tensor2D {
  return tf.tidy(() => tf.less(x.sub(threshold).div(bandwidth).abs(), 0.5).cast('float32') as Tensor2D)
}
