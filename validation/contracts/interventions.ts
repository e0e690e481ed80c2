/** Evidence of the study `interventions`: one claim under each kind of edit. */
import { z } from 'zod'
import { EffectSummary, numberOrNull, Ratio } from './common.ts'

export const InterventionsFound = z.strictObject({
  kinds: z.array(
    z.strictObject({
      /** As settings write it: kind:strength@positions. */
      intervention: z.string(),
      takes: z.enum(['away', 'in']),
      /** Mean ‖Δx‖ at edited positions. */
      norm: numberOrNull,
      target: EffectSummary,
      kl: EffectSummary,
      /** The target's effect as a share of that of the first intervention listed that takes as this one does. */
      share: Ratio.nullable(),
      /** Whether the interval of the target's effect lies on the claimed side of 0; null where the edit claims no side. */
      asClaimed: z.boolean().nullable(),
    }),
  ),
  /** Whether every edit that claims a side moves the target to it; null where none does. */
  agree: z.boolean().nullable(),
})
export type InterventionsFound = z.infer<typeof InterventionsFound>
