/**
 * Muon for the matrices inside the blocks, AdamW for the rest, with the gradient clipped to a norm over all weights.
 *
 *   AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101), for embeddings, gains and biases:
 *     m ← β1 m + (1 − β1) g,  v ← β2 v + (1 − β2) g²,  w ← w − lr · m̂ / (√v̂ + ε)
 *   Muon (Jordan et al. 2024; scaled as in Liu et al. 2025, arXiv:2502.16982), for matrices [a, b]:
 *     m ← μ m + g,  w ← (1 − lr · decay) w − lr · 0.2 √max(a, b) · orthogonal(g + μ m)
 *   where orthogonal(X) brings all singular values near 1 by five steps of a Newton–Schulz iteration.
 *
 * Muon and windows that grow (train.ts) together make attention form early: docs/toyworld.md has the figures.
 */
import { type NamedTensorMap, type Tensor, type Tensor3D, tf } from '../../engine/tf.ts'

type Variables = Readonly<Record<string, ReturnType<typeof tf.variable>>>

const beta1 = 0.9
const beta2 = 0.98
const epsilon = 1e-8
const momentum = 0.95
const weightDecay = 0.05
/** Largest norm of the whole gradient. */
const clip = 1

const isMatrix = (name: string) => /\.h\..*\.weight$/.test(name) && !name.includes('.ln_')

/** Zero moments of every weight, by `m.NAME`, and `v.NAME` where AdamW needs it. */
export function zeroMoments(weights: Variables): Variables {
  return Object.fromEntries(
    Object.entries(weights).flatMap(([name, weight]) =>
      (isMatrix(name) ? ['m'] : ['m', 'v']).map(moment => [`${moment}.${name}`, tf.variable(tf.zeros(weight.shape))]),
    ),
  )
}

/** Each matrix [n, a, b] with a ≤ b, its singular values brought near 1. */
function orthogonal(gradients: Tensor3D): Tensor3D {
  const norm = gradients.square().sum([1, 2], true).sqrt().add(1e-7)
  let x = gradients.div(norm) as Tensor3D
  for (let i = 0; i < 5; i++) {
    const square = tf.matMul(x, x, false, true)
    const polynomial = square.mul(-4.775).add(tf.matMul(square, square).mul(2.0315))
    x = x.mul(3.4445).add(tf.matMul(polynomial, x)) as Tensor3D
  }
  return x
}

/** Muon's direction for a matrix [a, b]; q, k and v, which lie side by side in `c_attn`, are matrices of their own. */
function muonDirection(name: string, gradient: Tensor): Tensor {
  const [a, b] = gradient.shape as [number, number]
  const scale = 0.2 * Math.sqrt(name.includes('c_attn') ? a : Math.max(a, b))
  if (name.includes('c_attn')) {
    const parts = gradient.reshape([a, 3, b / 3]).transpose([1, 0, 2]) as Tensor3D
    return orthogonal(parts).transpose([1, 0, 2]).reshape([a, b]).mul(scale)
  }
  const wide = a <= b ? gradient : gradient.transpose()
  const flat = orthogonal(wide.expandDims(0) as Tensor3D).squeeze([0])
  return (a <= b ? flat : flat.transpose()).mul(scale)
}

/** One update in place; `step` counts from 1. Returns the gradient's norm before clipping, a scalar the caller disposes. */
export function optimiserStep(
  weights: Variables,
  moments: Variables,
  gradients: NamedTensorMap,
  { step, learningRate }: { step: number; learningRate: number },
): Tensor {
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
        if (isMatrix(name)) {
          m.assign(m.mul(momentum).add(gradient))
          const direction = muonDirection(name, gradient.add(m.mul(momentum)))
          weight.assign(weight.mul(1 - learningRate * weightDecay).sub(direction.mul(learningRate)))
          return
        }
        const v = moments[`v.${name}`]!
        m.assign(m.mul(beta1).add(gradient.mul(1 - beta1)))
        v.assign(v.mul(beta2).add(gradient.square().mul(1 - beta2)))
        weight.assign(weight.sub(m.mul(rate).div(v.mul(correction).sqrt().add(epsilon))))
      })
    }
    return norm
  })
}
