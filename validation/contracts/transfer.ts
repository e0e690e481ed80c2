/** What the study `transfer` says of a latent: its effect on out-of-distribution text beside that on validation text. */
import { z } from 'zod'
import { EffectSummary, IntervalMethod, numberOrNull as number, Verdict } from './common.ts'

export const Transfer = z.strictObject({
  intervention: z.enum(['ablate', 'steer']),
  /** The latent's own effects on the target, by out-of-distribution document. */
  effect: EffectSummary,
  /** The effect less the mean control's of equal norm, against the kind that leaves least of it. */
  control: z.string(),
  controls: z.int(),
  difference: number,
  low: number,
  high: number,
  interval: IntervalMethod,
  /** The same difference on validation text, with the same number of controls. */
  validation: z.strictObject({ documents: z.int(), difference: number }),
  /** Out-of-distribution difference as a share of validation's; no interval where the latter may be 0. */
  ratio: number,
  ratioLow: number,
  ratioHigh: number,
  /** Whether the interval of the difference lies beyond the smallest effect of interest, in the claimed direction. */
  verdict: Verdict,
  reason: z.string(),
})
export type Transfer = z.infer<typeof Transfer>
