/** Which entities a model knows: only of these does a changed answer say anything. */
import { onHost } from '../../engine/host.ts'
import { tf } from '../../engine/tf.ts'
import type { Model } from '../../model/model.ts'
import type { EntityPrompt } from './entity-prompts.ts'

/** Entities whose attributes the model gives, each asked in one form. */
export interface Known {
  readonly attributes: readonly string[]
  readonly entities: readonly string[]
  promptOf(attribute: number, entity: number): EntityPrompt
}

/** With fewer entities there is nothing to learn on and to test on; an attribute that is given of fewer is given by luck. */
export const fewestEntities = 6

/** Prompts asked at once. */
const asked = 64

/**
 * Entities that the model answers rightly about in the form of each attribute that it answers most in. Attributes that it gives of
 * fewer than six entities are left out.
 */
export function knownEntities(model: Model, prompts: readonly EntityPrompt[]): Known {
  const isRight = answersOf(model, prompts)
  const right = prompts.filter((_, i) => isRight[i])
  const byAttribute = new Map<string, Map<string, Map<string, EntityPrompt>>>()
  for (const prompt of right) {
    const forms = byAttribute.get(prompt.attribute) ?? new Map<string, Map<string, EntityPrompt>>()
    byAttribute.set(prompt.attribute, forms)
    const own = forms.get(prompt.form) ?? new Map<string, EntityPrompt>()
    forms.set(prompt.form, own)
    own.set(prompt.entity, prompt)
  }
  const forms = [...byAttribute].map(
    ([attribute, own]) => [attribute, [...own.values()].reduce((a, b) => (b.size > a.size ? b : a))] as const,
  )
  const given = forms.filter(([, form]) => form.size >= fewestEntities)
  const attributes = given.map(([attribute]) => attribute)
  const best = given.map(([, form]) => form)
  const entities = [...(best[0]?.keys() ?? [])].filter(entity => best.every(form => form.has(entity)))
  return { attributes, entities, promptOf: (attribute, entity) => best[attribute]!.get(entities[entity]!)! }
}

/** How many of these tokens are those that are wanted. */
export function rightAnswers(given: ArrayLike<number>, wanted: readonly number[]): number {
  return wanted.filter((token, i) => given[i] === token).length
}

/** Whether the likeliest token behind each prompt is its answer. */
function answersOf(model: Model, prompts: readonly EntityPrompt[]): boolean[] {
  const found: boolean[] = []
  for (let start = 0; start < prompts.length; start += asked) {
    const some = prompts.slice(start, start + asked)
    const length = Math.max(...some.map(({ tokens }) => tokens.length))
    const ids = new Int32Array(some.length * length)
    some.forEach(({ tokens }, i) => {
      ids.set(tokens, i * length)
    })
    const given = onHost(() => {
      const ends = tf
        .oneHot(
          tf.tensor1d(
            some.map(({ tokens }) => tokens.length - 1),
            'int32',
          ),
          length,
        )
        .expandDims(2)
      const logits = model.run(tf.tensor2d(ids, [some.length, length], 'int32'))
      return logits.mul(ends).sum(1).argMax(1).dataSync<'int32'>()
    })
    some.forEach(({ answer }, i) => {
      found.push(given[i] === answer)
    })
  }
  return found
}
