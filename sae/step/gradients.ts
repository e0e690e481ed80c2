/** Gradients of an architecture's loss, by differentiation. */
import { type Scalar, type Tensor, type Tensor2D, tf } from '../../engine/tf.ts'
import type { Architecture, Batch, LossContext, Params } from '../architecture.ts'
import { decoderNorms } from '../layers/linear.ts'

/** The loss of a batch and its gradient for every weight, zero where the loss does not depend on it. Nothing is tidied. */
export function differentiate(
  architecture: Architecture,
  params: Params,
  batch: Batch,
  config: Record<string, unknown>,
  context: LossContext,
): { gradients: Tensor[]; terms: Record<string, Scalar>; latents: Tensor2D; reconstruction: Tensor2D } {
  const weights = Object.values(params)
  const kept: { terms: Record<string, Scalar>; latents?: Tensor2D; reconstruction?: Tensor2D } = { terms: {} }
  const { value, grads } = tf.engine().gradients(
    () => {
      const { terms, latents, reconstruction } = architecture.loss(params, batch, config, context)
      for (const [name, term] of Object.entries(terms)) kept.terms[name] = tf.keep(term.clone())
      kept.latents = tf.keep(latents.clone())
      kept.reconstruction = tf.keep(reconstruction.clone())
      return tf.addN(Object.values(terms)) as Scalar
    },
    weights,
    null as never,
    true,
  )
  value.dispose()
  return {
    gradients: weights.map((weight, i) => grads[i] ?? tf.zerosLike(weight)),
    terms: kept.terms,
    latents: kept.latents!,
    reconstruction: kept.reconstruction!,
  }
}

/** The gradient without its component along each decoder row; disposes the gradient it was given. */
export function project(gradient: Tensor, wDec: Tensor2D): Tensor {
  const projected = tf.tidy(() => {
    const unit = tf.divNoNan(wDec, decoderNorms(wDec).reshape([-1, 1]))
    return gradient.sub(gradient.mul(unit).sum(1, true).mul(unit))
  })
  gradient.dispose()
  return projected
}
