/** Norms of a decoder's rows in one pass over them. */
import { type Tensor1D, type Tensor2D, tf } from '../../tf.ts'
import { callOp, canCall } from '../native.ts'

/** The meaning of `rowNorms`. */
export function plainRowNorms(weight: Tensor2D, sites = 1): Tensor1D {
  return tf.tidy(() => {
    const parts = weight.reshape([weight.shape[0], sites, weight.shape[1] / sites])
    return parts.square().sum(2).sqrt().sum(1) as Tensor1D
  })
}

/** ‖W_i‖ of every row of weight [latents, width]; with several sites side by side in a row, the sum of each site's norm. */
export function rowNorms(weight: Tensor2D, sites = 1): Tensor1D {
  if (!canCall('PipelineRowNorms')) return plainRowNorms(weight, sites)
  return callOp('PipelineRowNorms', { sites: { int: sites }, unit: false }, [weight], 1)[0] as Tensor1D
}

/** Brings the rows of a weight in memory of its own (`own`) to norm 1; rows of zeros stay. Only with the ops. */
export function unitRowsInPlace(weight: Tensor2D): void {
  callOp('PipelineRowNorms', { sites: { int: 1 }, unit: true }, [weight], 1)[0]!.dispose()
}
