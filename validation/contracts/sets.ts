/** Evidence of the study `sets`: what latents that say the same are needed for together, each, and in pairs. */
import { z } from 'zod'
import { EffectSummary, numberOrNull, Ratio } from './common.ts'

export const SetsFound = z.strictObject({
  /** The claimed latent first. Effects are falls of the target where the set's latents are active. */
  latents: z.array(
    z.strictObject({
      latent: z.int(),
      /** Why it is of the set: it is claimed, tells the same concept, fires at the same tokens, or points the same way. */
      because: z.enum(['claimed', 'concept', 'firing', 'decoder']),
      /** Taken away alone, and taken away once all others are. */
      alone: EffectSummary,
      given: EffectSummary,
    }),
  ),
  /** All taken away. */
  joint: z.strictObject({ effect: EffectSummary, p: numberOrNull }),
  /** What a pair does beyond the sum of its two: above 0 the two stand in for each other, below 0 they need each other. */
  interactions: z.array(z.strictObject({ latents: z.tuple([z.int(), z.int()]), effect: EffectSummary })),
  /** Fewest latents that, left alone, keep nine tenths of the joint effect: chosen on half of the documents, held to the rest. */
  sufficient: z.strictObject({ latents: z.array(z.int()), documents: z.int(), kept: Ratio.nullable() }).nullable(),
})
export type SetsFound = z.infer<typeof SetsFound>
