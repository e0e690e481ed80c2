/**
 * Matching pursuit over decoder rows: one latent after the other explains what those before it left over.
 * Mallat and Zhang 1993; as an SAE's encoder, Costa et al. 2025, "From flat to hierarchical", arXiv:2506.03093.
 *
 *   r₀ = x          i = argmax_j r·d_j          v = relu(r·d_i)          z_i ← z_i + v          r ← r − v d_i
 *
 * A row is done after `most` latents, once ‖r‖ is below `threshold` (0 turns that off), or, with `stopOnRepeat`, once a latent
 * that it chose was chosen before. Ties go to the lower index. The gradient flows through the values, not through the choice.
 */
import { type Tensor1D, type Tensor2D, tf } from '../../engine/tf.ts'
import { detach } from './activations.ts'

/** When a row has latents enough. */
export interface PursuitEnd {
  readonly most: number
  readonly threshold: number
  readonly stopOnRepeat: boolean
}

export interface Pursued {
  /** [rows, latents], without a gradient. */
  readonly latents: Tensor2D
  /** Σ z_i d_i, [rows, width]. */
  readonly explained: Tensor2D
}

/** The latents of rows that the decoder bias was taken from, and what they explain. */
export function pursue(x: Tensor2D, wDec: Tensor2D, { most, threshold, stopOnRepeat }: PursuitEnd): Pursued {
  const [rows] = x.shape
  const directions = detach(wDec)
  const numbers = tf.range(0, rows, 1, 'int32') as Tensor1D
  let residual = x
  let explained = tf.zerosLike(x)
  let latents = tf.zeros([rows, wDec.shape[0]]) as Tensor2D
  let open = tf.ones([rows]) as Tensor1D
  for (let i = 0; i < most; i++) {
    const chosen = tf.argMax(tf.relu(tf.matMul(detach(residual), directions, false, true)), 1).cast<Tensor1D>('int32')
    const rowsOf = wDec.gather<Tensor2D>(chosen)
    const values = tf.relu(residual.mul(rowsOf).sum<Tensor1D>(1)).mul<Tensor1D>(open)
    const part = values.expandDims<Tensor2D>(1).mul<Tensor2D>(rowsOf)
    explained = explained.add(part)
    residual = residual.sub(part)
    const places = tf.stack([numbers, chosen], 1) as Tensor2D
    const before = tf.gatherND(latents, places) as Tensor1D
    latents = latents.add(tf.scatterND(places, detach(values), latents.shape))
    if (stopOnRepeat) {
      // A latent that was on already, or one that is not on now either: the set of latents is what it was.
      const grows = before.equal(0).logicalAnd(detach(values).notEqual(0))
      open = open.mul(grows.cast('float32'))
    }
    if (threshold > 0) open = open.mul(detach(residual).norm(2, 1).greaterEqual(threshold).cast('float32'))
    if ((stopOnRepeat || threshold > 0) && open.sum().dataSync()[0] === 0) break
  }
  return { latents, explained }
}
