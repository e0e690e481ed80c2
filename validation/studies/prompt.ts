/**
 * A prompt that names the concept: labelled tokens of discovery text, put before a document. Its effect is the target's mean over
 * the document's own tokens behind the prompt less that behind as many tokens without the label.
 */
import { uniformOf } from '../../core/random.ts'
import type { TokenWindow } from '../../datasets/document.ts'
import { firstPosition } from '../../latents/activations.ts'
import { mean } from '../../statistics/descriptive.ts'
import type { Material } from '../claims/plan.ts'
import type { Labelled } from '../supervised/supervised.ts'
import { targetIn } from './subject.ts'

/** Tokens of a prompt. */
const promptTokens = 8

/** Tokens for prompts: `promptTokens` with the label and as many without, by a lot that depends on the window they precede. */
export function promptsFor(
  { values: { windows }, labels, material }: Pick<Labelled, 'values' | 'labels' | 'material'>,
  latent: number,
  window: TokenWindow,
): { readonly labelled: number[]; readonly other: number[] } | undefined {
  const sides: [number[], number[]] = [[], []]
  let row = 0
  for (const one of windows)
    for (let p = firstPosition; p < one.tokens.length; p++, row++) sides[labels[row] === 1 ? 1 : 0].push(one.tokens[p]!)
  if (sides[0].length === 0 || sides[1].length === 0) return undefined
  const draw = (tokens: readonly number[], side: string) =>
    Array.from(
      { length: promptTokens },
      (_, i) => tokens[Math.floor(uniformOf(material.seed, 'prompt', side, latent, window.id, i) * tokens.length)]!,
    )
  return { labelled: draw(sides[1], 'labelled'), other: draw(sides[0], 'other') }
}

/** The prompt's effect on the target in a window, nats; undefined where the model's context has no room for it. */
export function promptEffect(
  material: Material,
  window: TokenWindow,
  { labelled, other }: { readonly labelled: readonly number[]; readonly other: readonly number[] },
  weights: Float32Array,
): number | undefined {
  const room = material.model.config.context - promptTokens
  const own = [...window.tokens].slice(firstPosition, room)
  if (own.length < 2) return undefined
  const behind = (prompt: readonly number[]) => {
    const tokens = Int32Array.from([...window.tokens.slice(0, firstPosition), ...prompt, ...own])
    const target = targetIn(material, { ...window, tokens }, weights)
    // The last position predicts nothing that is in the window.
    return mean(target.slice(firstPosition + prompt.length, tokens.length - 1))
  }
  return behind(labelled) - behind(other)
}
