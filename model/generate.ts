/** Greedy continuation of a text. */
import { inBlock } from '../core/sites.ts'
import { type Tensor3D, tf } from '../engine/tf.ts'
import type { Model } from './model.ts'

export interface GenerateOptions {
  /** How many tokens to add at most; generation also stops where the context is full. */
  readonly length: number
  /** Stop after this token. */
  readonly stop?: number | null
  /** Choose among the first so many tokens: the tokenizer's, where the model's vocabulary is padded beyond it. */
  readonly vocabulary?: number
}

/**
 * `tokens` followed by the likeliest next token, again and again; ties go to the lower id. Nothing is cached between
 * steps, so this is for short texts.
 */
export function generate(model: Model, tokens: ArrayLike<number>, options: GenerateOptions): Int32Array {
  const { layers, context, width } = model.config
  const vocabulary = options.vocabulary ?? model.config.vocabulary
  const result = Array.from(tokens)
  const site = inBlock(layers - 1, 'hook_resid_post')
  for (let step = 0; step < options.length && result.length < context; step++) {
    const next = tf.tidy(() => {
      const window = tf.tensor2d(Int32Array.from(result), [1, result.length], 'int32')
      const residual = model.run(window, { until: site }) as Tensor3D
      // Only the last position is unembedded.
      const value = residual.slice([0, result.length - 1, 0], [1, 1, width])
      const last = window.slice([0, result.length - 1], [1, 1])
      const logits = model.run(last, { from: { site, value } }).reshape([-1]).slice([0], [vocabulary])
      return logits.argMax().dataSync()[0]!
    })
    result.push(next)
    if (next === options.stop) break
  }
  return Int32Array.from(result)
}
