/**
 * Optimisers in plain tensors. Each takes a weight, its gradient and its moments and gives new ones; the caller owns both.
 *
 *   adam    m ← β₁m + (1−β₁)g    v ← β₂v + (1−β₂)g²    w ← w − lr · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε)     (Kingma and Ba 2014)
 *   adamw   the same after w ← w − lr · λ · w                                                          (Loshchilov and Hutter 2017)
 *   signum  m ← β₁m + (1−β₁)g    w ← w − lr · sign(m)                                                  (Bernstein et al. 2018)
 */
import { type Tensor, tf } from '../../engine/tf.ts'

export interface OptimiserSettings {
  readonly optimiser: 'adam' | 'adamw' | 'signum'
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  readonly weightDecay: number
}

/** A weight with its moments. `second` stays empty under signum. */
export interface Slot {
  weight: Tensor
  first: Tensor
  second: Tensor | undefined
}

/** A slot for a weight, which it owns from here on; moments are zero. */
export function makeSlot(weight: Tensor, settings: OptimiserSettings): Slot {
  return {
    weight,
    first: tf.zerosLike(weight),
    second: settings.optimiser === 'signum' ? undefined : tf.zerosLike(weight),
  }
}

/** One update; `count` is the number of updates including this one. Replaces and disposes the slot's tensors. */
export function update(slot: Slot, gradient: Tensor, rate: number, count: number, settings: OptimiserSettings): void {
  const { beta1, beta2, epsilon, weightDecay } = settings
  const [weight, first, second] = tf.tidy(() => {
    const m = slot.first.mul(beta1).add(gradient.mul(1 - beta1))
    if (!slot.second) return [slot.weight.sub(m.sign().mul(rate)), m]
    const v = slot.second.mul(beta2).add(gradient.square().mul(1 - beta2))
    const root = v
      .sqrt()
      .div(Math.sqrt(1 - beta2 ** count))
      .add(epsilon)
    const move = m.div(root).mul(rate / (1 - beta1 ** count))
    const start = settings.optimiser === 'adamw' ? slot.weight.mul(1 - rate * weightDecay) : slot.weight
    return [start.sub(move), m, v]
  })
  tf.dispose([slot.weight, slot.first])
  slot.second?.dispose()
  slot.weight = weight!
  slot.first = first!
  slot.second = second
}

/** The gradients scaled so that the norm of all of them together is at most `limit`; and that norm before. */
export function clip(gradients: Tensor[], limit: number | undefined): { gradients: Tensor[]; norm: Tensor } {
  const norm = tf.tidy(() => tf.addN(gradients.map(g => g.square().sum())).sqrt())
  if (limit === undefined) return { gradients, norm }
  const clipped = tf.tidy(() => {
    const scale = tf.minimum(tf.scalar(limit).div(norm.add(1e-6)), 1)
    return gradients.map(g => g.mul(scale))
  })
  tf.dispose(gradients)
  return { gradients: clipped, norm }
}
