/**
 * Passes of the playground: a text once for each row, with something added at the site, from the text's residual on; and the same batch
 * with nothing added, which rows are held against.
 */
import { type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import type { Model } from '../model/model.ts'
import type { Sae } from '../sae/sae.ts'
import { FrozenAttention } from './frozen-attention.ts'
import { adding } from './interventions.ts'
import type { PlayText } from './play-text.ts'

/** Whether patterns behind the site are what they become, or held as they are on the text. */
export type PlayAttention = 'free' | 'frozen'

/** Batches of a text as it is that are kept. */
const keptBases = 4

/** Passes of a model with something added at an SAE's site. The caller disposes it. */
export class PlayPasses {
  readonly #model: Model
  readonly #sae: Sae
  readonly #frozen: FrozenAttention

  constructor(model: Model, sae: Sae) {
    this.#model = model
    this.#sae = sae
    this.#frozen = new FrozenAttention(model)
  }

  /** Logits from a position on [rows, positions, vocabulary] with something added to each row. The caller disposes them. */
  logits(text: PlayText, deltas: readonly Float32Array[], from: number, attention: PlayAttention = 'free'): Tensor3D {
    const held = attention === 'frozen' ? this.#frozen.hooks(text, deltas.length) : {}
    const { tokens, start } = text
    const rows = deltas.length
    const { outputs, metadata } = this.#sae
    return tf.tidy(() => {
      const added = tf.stack(deltas.map(delta => tf.tensor2d(delta, [tokens.length, outputs]))) as Tensor3D
      const positions = Array.from({ length: tokens.length - from }, (_, i) => from + i)
      return this.#model.run(tf.tensor2d(tokens, [1, tokens.length], 'int32').tile([rows, 1]) as Tensor2D, {
        hooks: { ...held, [metadata.hook_name]: adding(added) },
        ...(start && { from: { site: start.site, value: start.value.tile([rows, 1, 1]) as Tensor3D } }),
        ...(from > 0 && { readAt: Array.from({ length: rows }, () => positions) }),
      }) as Tensor3D
    })
  }

  /** The same with nothing added: made once for each shape, and kept with the text. */
  base(text: PlayText, rows: number, from: number, attention: PlayAttention): Tensor3D {
    const key = `${rows} ${from} ${attention}`
    const known = text.bases.get(key)
    if (known) return known
    const nothing = new Float32Array(text.tokens.length * this.#sae.outputs)
    const made = tf.keep(
      this.logits(
        text,
        Array.from({ length: rows }, () => nothing),
        from,
        attention,
      ),
    )
    text.bases.set(key, made)
    for (const [old, tensor] of text.bases) {
      if (text.bases.size <= keptBases) break
      text.bases.delete(old)
      tensor.dispose()
    }
    return made
  }

  dispose(): void {
    this.#frozen.dispose()
  }
}
