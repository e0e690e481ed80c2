/** What the study `ceiling` says of a latent: its effect beside that of directions that were told the concept. */
import { z } from 'zod'
import { EffectSummary, numberOrNull as number, Ratio } from './common.ts'

export const CeilingFound = z.strictObject({
  /** The claim's primary intervention: of what each direction does under it, the farthest is the ceiling. */
  intervention: z.enum(['ablate', 'steer']),
  ceiling: z.string().nullable(),
  /** The latent's effect as a share of the ceiling's; null where the ceiling may be nothing. */
  share: Ratio.nullable(),
  methods: z.array(
    z.strictObject({
      intervention: z.enum(['ablate', 'steer']),
      method: z.string(),
      /** Cosine of the direction and the latent's; null for a prompt. */
      cosine: number,
      /** Effect on the target, by document. */
      target: EffectSummary,
      /** The latent's effect as a share of this one, on the same documents. */
      share: Ratio.nullable(),
    }),
  ),
})
export type CeilingFound = z.infer<typeof CeilingFound>
