/**
 * AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) with the gradient clipped to a norm over all weights.
 *
 *   m ← β1 m + (1 − β1) g,  v ← β2 v + (1 − β2) g²
 *   w ← w − lr · (m̂ / (√v̂ + ε) + decay · w),  decay on matrices only
 */
import { type NamedTensorMap, type Tensor, tf } from '../../engine/tf.ts'

type Variable = ReturnType<typeof tf.variable>

export interface AdamWSettings {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  readonly weightDecay: number
  /** Largest norm of the whole gradient. */
  readonly clip: number
}

/** Moments of every weight, by `m.NAME` and `v.NAME`. */
export function zeroMoments(weights: Readonly<Record<string, Variable>>): Record<string, Variable> {
  return Object.fromEntries(
    Object.entries(weights).flatMap(([name, weight]) =>
      ['m', 'v'].map(moment => [`${moment}.${name}`, tf.variable(tf.zeros(weight.shape))]),
    ),
  )
}

/** One update in place; `step` counts from 1. Returns the gradient's norm before clipping, a scalar the caller disposes. */
export function adamwStep(
  weights: Readonly<Record<string, Variable>>,
  moments: Readonly<Record<string, Variable>>,
  gradients: NamedTensorMap,
  { step, learningRate, ...settings }: AdamWSettings & { step: number; learningRate: number },
): Tensor {
  const { beta1, beta2, epsilon, weightDecay, clip } = settings
  return tf.tidy(() => {
    const squares = Object.values(gradients).map(gradient => gradient.square().sum())
    const norm = tf.addN(squares).sqrt()
    const scale = tf.minimum(tf.scalar(clip).div(norm), 1)
    const rate = tf.scalar(learningRate / (1 - beta1 ** step))
    const correction = tf.scalar(1 / (1 - beta2 ** step))
    for (const [name, weight] of Object.entries(weights)) {
      tf.tidy(() => {
        const gradient = gradients[name]!.mul(scale)
        const m = moments[`m.${name}`]!
        const v = moments[`v.${name}`]!
        m.assign(m.mul(beta1).add(gradient.mul(1 - beta1)))
        v.assign(v.mul(beta2).add(gradient.square().mul(1 - beta2)))
        const update = m.mul(rate).div(v.mul(correction).sqrt().add(epsilon))
        const kept = weight.rank > 1 ? weight.mul(1 - learningRate * weightDecay) : weight
        weight.assign(kept.sub(update))
      })
    }
    return norm
  })
}
