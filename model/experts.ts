/**
 * Mixtures of experts (Shazeer et al. 2017, arXiv:1701.06538): a router scores the experts for each token, and the outputs of
 * the best few are summed by weights. Every expert is computed for every token, and weighs nothing where it was not chosen.
 */
import { type Tensor, type Tensor2D, tf } from '../engine/tf.ts'
import type { ExpertNames, MixtureNames, NeuronNames } from './architecture.ts'
import { activation } from './layers/activation.ts'
import { apply, type Pass, weight } from './pass.ts'

/** The output of a mixture for x [batch, position, width]. */
export function mixture(pass: Pass, names: MixtureNames, x: Tensor): Tensor {
  return tf.tidy(() => {
    const rows = x.reshape([-1, x.shape.at(-1)!])
    const shares = weightsOf(apply(pass, names.router, rows) as Tensor2D, names)
    let sum: Tensor | undefined
    shares.unstack(1).forEach((share, expert) => {
      const added = expertOutput(pass, names.experts, expert, rows).mul(share.expandDims(1))
      sum = sum ? sum.add(added) : added
    })
    if (names.shared) {
      const gate = apply(pass, names.shared.gate, rows).sigmoid()
      sum = sum!.add(neuronOutput(pass, names.shared.neurons, rows).mul(gate))
    }
    return sum!.reshape(x.shape)
  })
}

/** Weights [rows, experts], 0 for those not chosen. */
function weightsOf(scores: Tensor2D, { perToken, weights }: MixtureNames): Tensor2D {
  const chosen = bestOf(scores, perToken)
  if (weights === 'chosen') return scores.add(chosen.sub(1).mul(1e30)).softmax() as Tensor2D
  const kept = scores.softmax().mul(chosen)
  return (weights === 'renormalised' ? kept.div(kept.sum(1, true)) : kept) as Tensor2D
}

/** 1 for the largest `count` scores of each row and 0 elsewhere; which they are has no gradient. */
const bestOf = (scores: Tensor2D, count: number): Tensor2D =>
  tf.customGrad((input, _save) => {
    const [rows, experts] = (input as Tensor2D).shape
    // Also where there is one expert, of which `oneHot` makes nothing.
    if (count === experts) return { value: tf.onesLike(input as Tensor2D), gradFunc: (dy: Tensor) => tf.zerosLike(dy) }
    const { indices } = tf.topk(input as Tensor2D, count)
    const value = tf
      .oneHot(indices.reshape([rows * count]).toInt(), experts)
      .reshape([rows, count, experts])
      .sum(1)
    return { value: value.toFloat(), gradFunc: (dy: Tensor) => tf.zerosLike(dy) }
  })(scores) as Tensor2D

function expertOutput(pass: Pass, names: ExpertNames, expert: number, rows: Tensor): Tensor {
  if (names.form === 'listed') return neuronOutput(pass, names.experts[expert]!, rows)
  const own = (name: string) => {
    const whole = weight(pass, name)
    const [, ...rest] = whole.shape
    return whole.slice([expert, ...rest.map(() => 0)], [1, ...rest]).reshape(rest)
  }
  if (names.form === 'together') {
    const [gate, up] = tf.split(rows.matMul(own(names.gateUp), false, true), 2, -1)
    const post = activation(gate!, pass.architecture.activation).mul(up!)
    return post.matMul(own(names.down), false, true)
  }
  const { alpha, limit } = names
  const product = rows.matMul(own(names.gateUp)).add(own(names.gateUpBias))
  const [gate, up] = tf.split(product.reshape([product.shape[0]!, product.shape[1]! / 2, 2]), 2, -1)
  const bounded = gate!.squeeze([2]).minimum(limit)
  const hidden = up!
    .squeeze([2])
    .clipByValue(-limit, limit)
    .add(1)
    .mul(bounded.mul(bounded.mul(alpha).sigmoid()))
  return hidden.matMul(own(names.down)).add(own(names.downBias))
}

function neuronOutput(pass: Pass, names: NeuronNames, rows: Tensor): Tensor {
  const { activation: kind } = pass.architecture
  const inner = apply(pass, names.in, rows)
  const post = names.gate ? activation(apply(pass, names.gate, rows), kind).mul(inner) : activation(inner, kind)
  return apply(pass, names.out, post)
}
