/**
 * LayerNorm and RMSNorm over the last axis, and the sum of a residual stream before them:
 *
 *   sum   = x + (delta + deltaBias)
 *   scale = √(mean((sum − centre)²) + epsilon)     centre = mean(sum) for `layer`, 0 for `rms`
 *   value = (sum − centre) / scale · gain + bias
 */
import { type Tensor, tf } from '../tf.ts'
import { callOp, canCall, noTensor } from './native.ts'

export interface NormOptions {
  readonly kind: 'layer' | 'rms'
  readonly epsilon: number
  /** [n], or none. */
  readonly gain?: Tensor | null
  /** [n], or none. */
  readonly bias?: Tensor | null
}

/** `value` [..., n]; `scale` [..., 1], what the centred input was divided by. */
export interface Normed {
  readonly value: Tensor
  readonly scale: Tensor
}

/** The meaning of `norm`, in tfjs ops that have gradients. */
export function plainNorm(x: Tensor, { kind, epsilon, gain, bias }: NormOptions): Normed {
  return tf.tidy(() => {
    const centred = kind === 'layer' ? x.sub(x.mean(-1, true)) : x
    const scale = centred.square().mean(-1, true).add(epsilon).sqrt()
    let value: Tensor = centred.div(scale)
    if (gain) value = value.mul(gain)
    if (bias) value = value.add(bias)
    return { value, scale }
  }) as unknown as Normed
}

/** The norm of x [..., n]. */
export function norm(x: Tensor, options: NormOptions): Normed {
  if (!canCall('PipelineNorm')) return plainNorm(x, options)
  return tf.tidy(() => {
    const { gain, bias } = options
    const [value, scale] = callOp('PipelineNorm', attributesOf(options), [x, gain ?? noTensor(), bias ?? noTensor()], 2)
    return { value: value!, scale: scale! }
  }) as unknown as Normed
}

/** The meaning of `addBias`, in tfjs ops that have gradients. */
export function plainAddBias(x: Tensor, delta: Tensor, deltaBias: Tensor | null): Tensor {
  return tf.tidy(() => x.add(deltaBias ? delta.add(deltaBias) : delta))
}

/** x + (delta + deltaBias) in one pass: x and delta of one shape [..., n], deltaBias [n] or none. */
export function addBias(x: Tensor, delta: Tensor, deltaBias: Tensor | null): Tensor {
  if (!canCall('PipelineAddBias')) return plainAddBias(x, delta, deltaBias)
  return tf.tidy(() => callOp('PipelineAddBias', {}, [x, delta, deltaBias ?? noTensor()], 1)[0]!)
}

/** `addBias` and `norm` of the sum in one pass over memory. */
export function addNorm(
  x: Tensor,
  delta: Tensor,
  deltaBias: Tensor | null,
  options: NormOptions,
): Normed & { readonly sum: Tensor } {
  return tf.tidy(() => {
    if (!canCall('PipelineAddNorm')) {
      const sum = plainAddBias(x, delta, deltaBias)
      return { sum, ...plainNorm(sum, options) }
    }
    const { gain, bias } = options
    const inputs = [x, delta, deltaBias ?? noTensor(), gain ?? noTensor(), bias ?? noTensor()]
    const [sum, value, scale] = callOp('PipelineAddNorm', attributesOf(options), inputs, 3)
    return { sum: sum!, value: value!, scale: scale! }
  }) as unknown as Normed & { readonly sum: Tensor }
}

function attributesOf({ kind, epsilon }: NormOptions) {
  return { epsilon: { float: epsilon }, centre: kind === 'layer' }
}
