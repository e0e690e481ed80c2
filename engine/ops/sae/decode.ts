/**
 * Reconstructions from k latents a row, reading only the decoder rows in use, and the start of the way back.
 *
 *   x̂_r = b + Σ_j z_rj W[i_rj]          g_r = s (x̂_r − y_r)          dz_rj = g_r · W[i_rj] where z_rj ≠ 0
 *
 * In nested dictionaries each level, made of the latents below its end, has a reconstruction of its own; see
 * `engine/native/sae_decode.cc`.
 */
import { type Tensor, type Tensor1D, type Tensor2D, tf } from '../../tf.ts'
import { callOp, canCall, noTensor } from '../native.ts'
import type { ChosenLatents } from './encode.ts'

/** What `sparseDecodeBack` gives. */
export interface DecodeBack {
  /**
   * Gradient of the loss with respect to x̂, [rows, width]: s (x̂ − y). With levels [levels · rows, width]: for each level the
   * sum over it and all later ones, which is what its latents' gradients are made of.
   */
  readonly g: Tensor2D
  /** Gradient with respect to the latents, [rows, k]; 0 where a value is 0. */
  readonly dz: Tensor2D
  /** Σ (x̂ − y)² of each row, [levels, rows]. */
  readonly errors: Tensor2D
}

/** The meaning of `sparseDecode`, in tfjs ops that have gradients with respect to values, weight and bias. */
export function plainSparseDecode(
  { values, indices }: ChosenLatents,
  weight: Tensor2D,
  bias: Tensor1D | null,
): Tensor2D {
  return tf.tidy(() => {
    const [rows, k] = values.shape
    const used = weight.gather(indices.reshape([rows * k]) as Tensor1D).reshape([rows, k, weight.shape[1]])
    const sum = used.mul(values.expandDims(2)).sum(1)
    return (bias ? sum.add(bias) : sum) as Tensor2D
  })
}

/** x̂ [rows, width] of latents [rows, k]; weight [latents, width], bias [width] or none. */
export function sparseDecode(latents: ChosenLatents, weight: Tensor2D, bias: Tensor1D | null): Tensor2D {
  if (!canCall('PipelineSparseDecode')) return plainSparseDecode(latents, weight, bias)
  return tf.tidy(
    () =>
      callOp(
        'PipelineSparseDecode',
        {},
        [latents.values, latents.indices, weight, bias ?? noTensor()],
        1,
      )[0] as Tensor2D,
  )
}

/** The meaning of `sparseDecodeBack`. */
export function plainSparseDecodeBack(
  target: Tensor2D,
  latents: ChosenLatents,
  weight: Tensor2D,
  bias: Tensor1D | null,
  scales: Tensor,
  ends: readonly number[] = [weight.shape[0]],
): DecodeBack {
  return tf.tidy(() => {
    const { values, indices } = latents
    const [rows, k] = values.shape
    const used = weight.gather(indices.reshape([rows * k]) as Tensor1D).reshape([rows, k, weight.shape[1]])
    const errors = ends.map(end => {
      const below = { values: tf.where(indices.less(end), values, tf.zerosLike(values)) as Tensor2D, indices }
      return plainSparseDecode(below, weight, bias).sub<Tensor2D>(target)
    })
    const factors = scales.reshape([ends.length]).dataSync()
    const g: Tensor2D[] = []
    let later: Tensor2D = tf.zerosLike(target)
    for (let level = ends.length - 1; level >= 0; level--) {
      later = later.add(errors[level]!.mul(factors[level]!))
      g.unshift(later)
    }
    let dz: Tensor = tf.zerosLike(values)
    for (const [level, end] of ends.entries()) {
      const all = used.mul(g[level]!.expandDims(1)).sum(2)
      dz = tf.where(indices.greaterEqual(ends[level - 1] ?? 0).logicalAnd(indices.less(end)), all, dz)
    }
    return {
      g: tf.concat(g, 0),
      dz: tf.where(values.notEqual(0), dz, tf.zerosLike(dz)),
      errors: tf.stack(errors.map(error => error.square().sum(1))),
    }
  }) as unknown as DecodeBack
}

/**
 * Decodes and goes back to the latents in one pass. The loss's derivative is scale · (x̂ − y); `scales` and `ends` have one
 * number for each level, of which the last ends with the dictionary. Without `ends` there is one level.
 */
export function sparseDecodeBack(
  target: Tensor2D,
  latents: ChosenLatents,
  weight: Tensor2D,
  bias: Tensor1D | null,
  scales: Tensor,
  ends: readonly number[] = [weight.shape[0]],
): DecodeBack {
  if (!canCall('PipelineSparseDecodeBack')) return plainSparseDecodeBack(target, latents, weight, bias, scales, ends)
  return tf.tidy(() => {
    const { values, indices } = latents
    const inputs = [target, values, indices, weight, bias ?? noTensor(), scales, tf.tensor1d([...ends], 'int32')]
    const [g, dz, errors] = callOp('PipelineSparseDecodeBack', {}, inputs, 3)
    return { g, dz, errors }
  }) as unknown as DecodeBack
}
