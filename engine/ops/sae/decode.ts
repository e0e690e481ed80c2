/**
 * Reconstructions from k latents a row, reading only the decoder rows in use, and the start of the way back.
 *
 *   x̂_r = b + Σ_j z_rj W[i_rj]          g_r = s (x̂_r − y_r)          dz_rj = g_r · W[i_rj] where z_rj ≠ 0
 */
import { type Tensor, type Tensor1D, type Tensor2D, tf } from '../../tf.ts'
import { callOp, canCall, noTensor } from '../native.ts'
import type { ChosenLatents } from './encode.ts'

/** What `sparseDecodeBack` gives. */
export interface DecodeBack {
  /** Gradient of the loss with respect to x̂, [rows, width]: s (x̂ − y). */
  readonly g: Tensor2D
  /** Gradient with respect to the latents, [rows, k]; 0 where a value is 0. */
  readonly dz: Tensor2D
  /** Σ (x̂ − y)² of each row. */
  readonly errors: Tensor1D
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
  scale: Tensor,
): DecodeBack {
  return tf.tidy(() => {
    const { values, indices } = latents
    const [rows, k] = values.shape
    const error = plainSparseDecode(latents, weight, bias).sub(target)
    const g = error.mul(scale.asScalar())
    const used = weight.gather(indices.reshape([rows * k]) as Tensor1D).reshape([rows, k, weight.shape[1]])
    const all = used.mul(g.expandDims(1)).sum(2)
    return { g, dz: tf.where(values.notEqual(0), all, tf.zerosLike(all)), errors: error.square().sum(1) }
  }) as unknown as DecodeBack
}

/** Decodes and goes back to the latents in one pass. `scale` is one number: the loss's derivative is scale · (x̂ − y). */
export function sparseDecodeBack(
  target: Tensor2D,
  latents: ChosenLatents,
  weight: Tensor2D,
  bias: Tensor1D | null,
  scale: Tensor,
): DecodeBack {
  if (!canCall('PipelineSparseDecodeBack')) return plainSparseDecodeBack(target, latents, weight, bias, scale)
  return tf.tidy(() => {
    const inputs = [target, latents.values, latents.indices, weight, bias ?? noTensor(), scale]
    const [g, dz, errors] = callOp('PipelineSparseDecodeBack', {}, inputs, 3)
    return { g, dz, errors }
  }) as unknown as DecodeBack
}
