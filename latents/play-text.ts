/** Texts of the playground: each runs once up to the SAE's site, and is kept while it is among those used last. */
import { onHost } from '../engine/host.ts'
import { type Tensor3D, tf } from '../engine/tf.ts'
import type { Model } from '../model/model.ts'
import type { Sae } from '../sae/sae.ts'
import { firstPosition, siteRows } from './activations.ts'
import { startBefore } from './clean-pass.ts'
import type { Firing } from './play-edits.ts'

/** Texts that are kept. */
const keptTexts = 4

/** A text as it is. */
export interface PlayText {
  readonly tokens: Int32Array
  /** What the latents say, position 0 left out. */
  readonly firing: Firing
  /** Residual [1, position, width] from which the site can be reached; undefined: only from the tokens. */
  readonly start: { readonly site: string; readonly value: Tensor3D } | undefined
  /** Logits of batches in which nothing is added, by what they were made for (`play-passes.ts`). */
  readonly bases: Map<string, Tensor3D>
}

/** Runs a text up to the site. The caller frees it. */
export function readPlayText(model: Model, sae: Sae, tokens: Int32Array): PlayText {
  const site = sae.metadata.hook_name
  const before = startBefore(site)
  let value: Tensor3D | undefined
  const firing = new Map<number, Map<number, number>>()
  onHost(() => {
    const input = tf.tensor2d(tokens, [1, tokens.length], 'int32')
    if (before !== undefined) value = tf.keep(model.run(input, { until: before }) as Tensor3D)
    const { offsets, indices, values } = sae.encode(siteRows(model, site, input))
    for (let position = firstPosition; position < tokens.length; position++)
      for (let e = offsets[position]!; e < offsets[position + 1]!; e++) {
        const own = firing.get(indices[e]!) ?? new Map<number, number>()
        firing.set(indices[e]!, own.set(position, values[e]!))
      }
  })
  return { tokens, firing, start: value && { site: before!, value }, bases: new Map() }
}

/** Disposes what a text holds. */
export function freePlayText({ start, bases }: PlayText): void {
  start?.value.dispose()
  for (const tensor of bases.values()) tensor.dispose()
}

/** The texts used last, by their tokens. The caller disposes them. */
export class PlayTexts {
  readonly #model: Model
  readonly #sae: Sae
  readonly #kept = new Map<string, PlayText>()

  constructor(model: Model, sae: Sae) {
    this.#model = model
    this.#sae = sae
  }

  /** The text of these tokens, which is the keeper's. */
  of(tokens: Int32Array): PlayText {
    const key = tokens.join()
    const text = this.#kept.get(key) ?? readPlayText(this.#model, this.#sae, tokens)
    this.#kept.delete(key)
    this.#kept.set(key, text)
    for (const [old, other] of this.#kept) {
      if (this.#kept.size <= keptTexts) break
      this.#kept.delete(old)
      freePlayText(other)
    }
    return text
  }

  dispose(): void {
    for (const text of this.#kept.values()) freePlayText(text)
    this.#kept.clear()
  }
}
