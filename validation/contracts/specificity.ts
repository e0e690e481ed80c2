/** Evidence of the study `specificity`: the claimed edit, measured on the target of every concept. */
import { z } from 'zod'
import { EffectSummary, numberOrNull, Ratio } from './common.ts'

const OffTarget = z.strictObject({
  concept: z.string(),
  /** Of its weights with the own target's: what moves with that by construction is taken off before anything is judged. */
  cosine: z.number(),
  effect: EffectSummary,
  /** The effect by that on the own target. */
  ratio: Ratio.nullable(),
  /** Equivalence: that the effect lies within ± margin times the own one; below α it does. */
  equivalenceP: z.number(),
  /** That it lies beyond, by Holm over the concepts. */
  leakP: z.number(),
})

export const SpecificityFound = z.strictObject({
  intervention: z.enum(['ablate', 'steer']),
  /** On the own target, in the claimed direction, a unit of its weights. */
  own: EffectSummary,
  /** The own target among all by how far each moves in the claimed direction, 1 the farthest. */
  rank: z.int(),
  among: z.int(),
  offTargets: z.array(OffTarget),
  /** Mean of the off-target effects' sizes by the own effect; p its rank among foreign latents with the same edits, less being better. */
  /** Its bounds are null where the documents give none that are honest. */
  offOn: z.strictObject({ ratio: z.number(), low: numberOrNull, high: numberOrNull }).nullable(),
  p: numberOrNull,
  /** Shares as RAVEL has them: own target moved as claimed; other targets left within the margin; their mean. */
  cause: numberOrNull,
  isolation: numberOrNull,
  score: numberOrNull,
  /** Whether every other concept's target is left within the margin, some is not, or neither can be told (null). */
  isolated: z.boolean().nullable(),
  leaks: z.array(z.string()),
})
export type SpecificityFound = z.infer<typeof SpecificityFound>
