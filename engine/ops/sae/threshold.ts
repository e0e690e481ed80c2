/**
 * Latents above bounds of their own: the entries of x W + b that are larger than bound[latent], without a [rows, latents]
 * tensor. ReLU is the bound 0, a gate is its bias's bound, JumpReLU the threshold or what lies half a bandwidth below it.
 */
import { type Tensor, type Tensor1D, type Tensor2D, tf } from '../../tf.ts'
import { callOp, canCall, noTensor } from '../native.ts'
import { canRound } from './encode.ts'
import { readScreened, SCREENINGS, type Screened, type Screening } from './screening.ts'

/** Entries of a sparse [rows, latents] matrix, row by row, latents ascending in each. */
export interface Entries {
  /** Where each row's entries begin, and how many there are in all: [rows + 1] int32. */
  readonly starts: Tensor1D
  /** [entries] int32. */
  readonly indices: Tensor1D
  /** [entries]. */
  readonly values: Tensor1D
}

export interface ThresholdOptions {
  /** [latents], or none. */
  readonly bias?: Tensor1D | null
  /** [latents]; an entry is what is larger. */
  readonly bounds: Tensor1D
  /** The weight is [width, latents] (`in-out`) or [latents, width] (`out-in`). */
  readonly layout: 'in-out' | 'out-in'
  /** Give nothing where there are more entries than this. */
  readonly limit: number
  /** Products of bfloat16 values with float32 sums; only where `canRound`, elsewhere they are float32. */
  readonly rounded?: boolean
  /** The weight as `packEncoder` packed it, for rounded products. */
  readonly packed?: Tensor | undefined
  /** How float32 products are screened, where the weight is `out-in`; default `auto`. It changes no result. */
  readonly screening?: Screening | undefined
  /** Told what screening left, after a call in float32. */
  readonly screened?: ((report: Screened) => void) | undefined
}

/** The meaning of `thresholdEncode`, in tfjs ops and on the host. */
export function plainThresholdEncode(x: Tensor2D, weight: Tensor2D, options: ThresholdOptions): Entries | undefined {
  const { bias, bounds, layout, limit } = options
  const product = tf.tidy(() => {
    const dense = tf.matMul(x, weight, false, layout === 'out-in')
    return bias ? dense.add<Tensor2D>(bias) : dense
  })
  const [rows, latents] = product.shape
  const all = product.dataSync()
  product.dispose()
  const least = bounds.dataSync()
  const starts = new Int32Array(rows + 1)
  const indices: number[] = []
  const values: number[] = []
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < latents; i++)
      if (all[row * latents + i]! > least[i]!) {
        indices.push(i)
        values.push(all[row * latents + i]!)
      }
    starts[row + 1] = indices.length
  }
  if (indices.length > limit) return undefined
  return { starts: tf.tensor1d(starts, 'int32'), indices: tf.tensor1d(indices, 'int32'), values: tf.tensor1d(values) }
}

/**
 * The entries of x [rows, width] above their bounds, or undefined where there are more than `limit`: that is found out
 * early, and depends on the numbers alone. The caller disposes them.
 */
export function thresholdEncode(x: Tensor2D, weight: Tensor2D, options: ThresholdOptions): Entries | undefined {
  if (!canCall('PipelineThresholdEncode')) return plainThresholdEncode(x, weight, options)
  const [starts, values, indices, complete] = tf.tidy(() => {
    const attributes = {
      transposed: options.layout === 'out-in',
      rounded: (options.rounded ?? false) && canRound(),
      screen: { int: SCREENINGS.indexOf(options.screening ?? 'auto') },
    }
    const packed = options.packed ?? tf.tensor1d([], 'int32')
    const limit = tf.scalar(Math.min(options.limit, 2 ** 31 - 1), 'int32')
    const inputs = [x, weight, options.bias ?? noTensor(), options.bounds, packed, limit]
    const [report, ...found] = callOp('PipelineThresholdEncode', attributes, inputs, 5).reverse() as [
      Tensor,
      ...Tensor[],
    ]
    if (!attributes.rounded) options.screened?.(readScreened(report))
    return found.reverse()
  }) as [Tensor1D, Tensor1D, Tensor1D, Tensor]
  const found = complete.dataSync()[0] === 1
  complete.dispose()
  if (found) return { starts, indices, values }
  tf.dispose([starts, indices, values])
  return undefined
}
