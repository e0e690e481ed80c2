/** Evidence of the study `interchange`: what a latent does when two documents change its activations with each other. */
import { z } from 'zod'
import { EffectSummary, numberOrNull, Ratio } from './common.ts'

/** One way of the interchange: into the silent document, or out of the active one. */
const Interchanged = z.strictObject({
  /** In the claimed sense: into the silent document up, out of the active one down, both positive. */
  effect: EffectSummary,
  /** The effect as a share of the difference between the documents. */
  share: Ratio.nullable(),
  /** The largest of the ranks among random, foreign and tied directions; null without any of them. */
  p: numberOrNull,
  /** Whether the effect is there, is not, or cannot be told (null). */
  found: z.boolean().nullable(),
})

export const InterchangeFound = z.strictObject({
  /** Pairs of an active and a silent document. */
  pairs: z.int(),
  /** The target in the active document less that in the silent one, at the interchanged positions. */
  difference: EffectSummary,
  sufficiency: Interchanged,
  necessity: Interchanged,
  /** Sufficient, and not necessary: something else does the same where this latent is silent. */
  backup: z.boolean().nullable(),
})
export type InterchangeFound = z.infer<typeof InterchangeFound>
