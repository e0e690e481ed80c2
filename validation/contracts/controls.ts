/** What the study `controls` says of a latent: what each kind of control does, as a share of what the latent does. */
import { z } from 'zod'
import { numberOrNull as number, Ratio } from './common.ts'

export const ControlsFound = z.strictObject({
  /** Mean effect of ablating the latent on the target, its mean ‖Δx‖ and KL. */
  effect: number,
  norm: number,
  kl: number,
  kinds: z.array(
    z.strictObject({
      control: z.string(),
      /** Controls of the kind. */
      count: z.int(),
      /** Mean effect on the target over documents and controls, mean ‖Δx‖ and KL; null where they were not kept. */
      effect: number,
      norm: number,
      kl: number,
      /** The kind's mean effect by the latent's on the same documents; null where the latent's may be nothing. */
      share: Ratio.nullable(),
      /** Rank of the latent among them, towards less of the target. */
      p: number,
    }),
  ),
  /** The other latent that tells the concept best, where the claim names one and there is such a latent. */
  strongest: z.int().nullable(),
})
export type ControlsFound = z.infer<typeof ControlsFound>
