/**
 * Latents of a TopK SAE: the k largest of relu(x W + b) in each row, without a [rows, latents] tensor.
 *
 * Of equal values the lower latents stay. A row's entries come by ascending latent; where fewer than k are above zero, the
 * lowest other latents stand in with value 0, as in a top-k of the ReLU.
 */
import { type Tensor, type Tensor1D, type Tensor2D, tf } from '../../tf.ts'
import { callOp, canCall, hasRoundedProducts, noTensor } from '../native.ts'
import { readScreened, SCREENINGS, type Screened, type Screening } from './screening.ts'

export interface TopKEncodeOptions {
  readonly k: number
  /** [latents], or none. */
  readonly bias?: Tensor1D | null
  /** The weight is [width, latents] (`in-out`) or [latents, width] (`out-in`). */
  readonly layout: 'in-out' | 'out-in'
  /**
   * Round x and the weight to bfloat16 and sum in float32. Only where the processor has AMX or AVX-512 BF16 (`canRound`);
   * elsewhere products are float32.
   */
  readonly rounded?: boolean
  /** The weight as `packEncoder` packed it, for rounded products; packed anew in each call without it. */
  readonly packed?: Tensor | undefined
  /** A positive factor of each latent, [latents]: latents are chosen by relu(x W + b) times it, and have that value. */
  readonly scale?: Tensor1D | undefined
  /** Values at or below it count as 0; default 0. Fewer candidates pass, where it is known that they would not be used. */
  readonly floor?: number | undefined
  /** What each latent is called in `indices`, [latents] int32; its place by default. */
  readonly names?: Tensor1D | undefined
  /** How float32 products are screened, where the weight is `out-in`; default `auto`. It changes no result. */
  readonly screening?: Screening | undefined
  /** Told what screening left, after a call in float32. */
  readonly screened?: ((report: Screened) => void) | undefined
}

/** The k chosen latents of each row, [rows, k] both; `indices` are int32. */
export interface ChosenLatents {
  readonly values: Tensor2D
  readonly indices: Tensor2D
}

/** Whether rounded products are to be had here. */
export function canRound(): boolean {
  return canCall('PipelineTopKEncode') && hasRoundedProducts()
}

/** The meaning of `topKEncode`, in tfjs ops and on the host. */
export function plainTopKEncode(x: Tensor2D, weight: Tensor2D, options: TopKEncodeOptions): ChosenLatents {
  const { k, bias, layout, scale, floor = 0 } = options
  const names = options.names?.dataSync()
  const [valueTensor, indexTensor] = tf.tidy(() => {
    const product = tf.matMul(x, weight, false, layout === 'out-in')
    const shifted = bias ? product.add(bias) : product
    const values = scale ? shifted.mul(scale) : shifted
    const top = tf.topk(tf.where(values.greater(floor), values, tf.zerosLike(values)), k, true)
    return [top.values, top.indices]
  }) as [Tensor, Tensor]
  const [values, indices] = [valueTensor.dataSync().slice(), indexTensor.dataSync().slice()]
  tf.dispose([valueTensor, indexTensor])
  const [rows] = x.shape
  const sortedValues = new Float32Array(rows * k)
  const sortedIndices = new Int32Array(rows * k)
  for (let row = 0; row < rows; row++) {
    const order = Array.from({ length: k }, (_, i) => row * k + i).sort((a, b) => indices[a]! - indices[b]!)
    for (const [i, from] of order.entries()) {
      sortedValues[row * k + i] = values[from]!
      sortedIndices[row * k + i] = names ? names[indices[from]!]! : indices[from]!
    }
  }
  return { values: tf.tensor2d(sortedValues, [rows, k]), indices: tf.tensor2d(sortedIndices, [rows, k], 'int32') }
}

/** The k largest latents of each row of x [rows, width]; x has the decoder bias taken off already where that is wanted. */
export function topKEncode(x: Tensor2D, weight: Tensor2D, options: TopKEncodeOptions): ChosenLatents {
  if (!canCall('PipelineTopKEncode')) return plainTopKEncode(x, weight, options)
  const { k, bias, layout, packed, scale, floor = 0, names } = options
  return tf.tidy(() => {
    const attributes = {
      k: { int: k },
      transposed: layout === 'out-in',
      rounded: (options.rounded ?? false) && canRound(),
      screen: { int: SCREENINGS.indexOf(options.screening ?? 'auto') },
    }
    const noInts = tf.tensor1d([], 'int32')
    const [weights, factors] = [packed ?? noInts, scale ?? noTensor()]
    const inputs = [x, weight, bias ?? noTensor(), weights, factors, tf.scalar(floor), names ?? noInts]
    const [values, indices, report] = callOp('PipelineTopKEncode', attributes, inputs, 3)
    if (!attributes.rounded) options.screened?.(readScreened(report!))
    return { values: values as Tensor2D, indices: indices as Tensor2D }
  }) as unknown as ChosenLatents
}

/**
 * An encoder [latents, width] in the form of rounded products, for `packed` above; `sparseUpdate` renews it in place. The
 * caller disposes it. Only where `canRound`.
 */
export function packEncoder(weight: Tensor2D): Tensor {
  return callOp('PipelinePackEncoder', {}, [weight], 1)[0]!
}

/** The latents themselves, of latents that were chosen by their value times these norms (`scale`). */
export function withoutNorms({ values, indices }: ChosenLatents, norms: Tensor1D | undefined): ChosenLatents {
  if (!norms) return { values, indices }
  return { values: tf.divNoNan(values, norms.gather(indices.flatten()).reshape(values.shape)), indices }
}
