/**
 * The gradient of the target: the mean over labelled tokens of what a small change of the value there does to the target at all
 * labelled tokens of the window. To first order no direction of equal norm, the same at every token, moves the target further.
 */

import type { TokenWindow } from '../../datasets/document.ts'
import { onHost } from '../../engine/host.ts'
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../../engine/tf.ts'
import { firstPosition } from '../../latents/activations.ts'
import { startBefore } from '../../latents/interventions.ts'
import type { Model } from '../../model/model.ts'
import type { Supervised } from './supervised.ts'

/** Windows of discovery text that the gradient is a mean over. */
const mostWindows = 24

export const gradient: Supervised = {
  name: 'gradient',
  text: 'the gradient of the target',
  learn({ material: { model, sae, config }, target, values: { windows, width }, labels }) {
    const sum = new Float64Array(width)
    let row = 0
    let used = 0
    for (const window of windows) {
      const start = row
      row += Math.max(0, window.tokens.length - firstPosition)
      if (used === mostWindows) continue
      const length = Math.min(window.tokens.length, config.positions)
      const positions: number[] = []
      // The last position predicts nothing that is measured.
      for (let p = firstPosition; p < length - 1; p++) if (labels[start + p - firstPosition] === 1) positions.push(p)
      if (positions.length === 0) continue
      const found = windowGradient(
        model,
        sae.metadata.hook_name,
        window.tokens.slice(0, length),
        positions,
        target.weights,
      )
      for (let j = 0; j < width; j++) sum[j]! += found[j]! / positions.length
      used++
    }
    return sum.some(value => value !== 0) ? Float32Array.from(sum) : undefined
  },
}

/** Σ over positions of the gradient of Σ over positions of Σ_v w_v log p_v with respect to the site's value [width]. */
export function windowGradient(
  model: Model,
  site: string,
  tokens: TokenWindow['tokens'],
  positions: readonly number[],
  weights: Float32Array,
): Float32Array {
  const length = tokens.length
  return onHost(() => {
    const ids = tf.tensor2d(tokens, [1, length], 'int32')
    const before = startBefore(site)
    const from = before ? { from: { site: before, value: model.run(ids, { until: before }) as Tensor3D } } : {}
    const value = model.run(ids, { ...from, until: site })
    const at = new Float32Array(length)
    for (const position of positions) at[position] = 1
    const mask = tf.tensor1d(at)
    const w = tf.tensor2d(weights, [weights.length, 1])
    const target = (x: Tensor) => {
      const logits = model.run(ids, { ...from, hooks: { [site]: () => x } }).reshape([length, weights.length])
      return (logits.logSoftmax() as Tensor2D).matMul(w).reshape([length]).mul(mask).sum()
    }
    const gradient = tf.grad(target)(value).reshape([length, -1]) as Tensor2D
    return mask.expandDims(0).matMul(gradient).dataSync<'float32'>() as Float32Array
  })
}
