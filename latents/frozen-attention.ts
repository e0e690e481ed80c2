/**
 * Attention held as it is on a text: the pattern of every block behind a place stands in for those that an edit would give, so that
 * what is left is what the edit writes, not where is looked.
 */
import { blockOf, inBlock } from '../core/sites.ts'
import { onHost } from '../engine/host.ts'
import { type Tensor, type Tensor3D, tf } from '../engine/tf.ts'
import type { Hook, Model } from '../model/model.ts'

/** A text, and where a pass of it begins. */
export interface FrozenText {
  readonly tokens: Int32Array
  readonly start: { readonly site: string; readonly value: Tensor3D } | undefined
}

/** Patterns of a model on the text that was asked about last. The caller disposes it before the model. */
export class FrozenAttention {
  readonly #model: Model
  /** Patterns [1, head, query, key] by site. */
  #kept: { readonly of: FrozenText; readonly bySite: ReadonlyMap<string, Tensor> } | undefined

  constructor(model: Model) {
    this.#model = model
  }

  /** Hooks that put the text's patterns in the place of those of each of `rows` rows. */
  hooks(text: FrozenText, rows: number): Record<string, Hook> {
    const hook =
      (pattern: Tensor): Hook =>
      () =>
        pattern.tile([rows, ...pattern.shape.slice(1).map(() => 1)])
    return Object.fromEntries(Array.from(this.#patternsOf(text), ([site, pattern]) => [site, hook(pattern)]))
  }

  /** The patterns of every block that a pass of the text comes to. */
  #patternsOf(text: FrozenText): ReadonlyMap<string, Tensor> {
    if (this.#kept?.of === text) return this.#kept.bySite
    this.dispose()
    const { tokens, start } = text
    const block = start && blockOf(start.site)
    const first = block ? block.layer + (start.site === inBlock(block.layer, 'hook_resid_post') ? 1 : 0) : 0
    const sites = this.#model.sites
      .map(({ name }) => name)
      .filter(name => name.endsWith('attn.hook_pattern') && blockOf(name)!.layer >= first)
    const bySite = new Map<string, Tensor>()
    onHost(() => {
      const keep: Hook = (value, site) => {
        bySite.set(site, tf.keep(value.clone()))
        return undefined
      }
      this.#model.run(tf.tensor2d(tokens, [1, tokens.length], 'int32'), {
        hooks: Object.fromEntries(sites.map(site => [site, keep])),
        ...(start && { from: start }),
      })
    })
    this.#kept = { of: text, bySite }
    return bySite
  }

  dispose(): void {
    for (const pattern of this.#kept?.bySite.values() ?? []) pattern.dispose()
    this.#kept = undefined
  }
}
