/** Evidence of the study `dormant`: which part of a direction carries its effect, that along which text moves or the rest. */
import { z } from 'zod'
import { EffectSummary, Ratio } from './common.ts'

/** Effects in the claimed direction. */
const PartsFound = z.strictObject({
  whole: EffectSummary,
  active: EffectSummary,
  dormant: EffectSummary,
  /** The dormant part's effect as a share of the whole direction's. */
  share: Ratio.nullable(),
})

export const DormantFound = z.strictObject({
  /** Tokens of discovery text at which the latent is active. */
  tokens: z.int(),
  /** Lengths of the two parts, in lengths of the direction. */
  lengths: z.strictObject({ active: z.number(), dormant: z.number() }),
  /** How far text moves along the direction where the latent is active, by how far the latent says; 1 where it is right. */
  moved: z.number(),
  ablate: PartsFound.nullable(),
  steer: PartsFound.nullable(),
  /** Whether more than half of the effect of the primary intervention is the dormant part's; null where that cannot be told. */
  dormant: z.boolean().nullable(),
})
export type DormantFound = z.infer<typeof DormantFound>
