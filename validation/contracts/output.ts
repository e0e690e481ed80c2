/** Evidence of the study `output`: whether amplifying a latent makes the model say the tokens that its direction promotes. */
import { z } from 'zod'
import { EffectSummary, numberOrNull } from './common.ts'

export const OutputFound = z.strictObject({
  documents: z.int(),
  /** Strength added at a document's last position: ten times the largest activation on discovery text. */
  strength: z.number(),
  /** (1 − r/V)·p, r the best rank of the promoted tokens and p their largest probability, over documents; p its rank among controls. */
  outputScore: z.strictObject({ effect: EffectSummary, p: numberOrNull }),
  /** Token confidence amplified less as it is, nats, over documents; p the rank of its size among controls. */
  confidenceShift: z.strictObject({ effect: EffectSummary, p: numberOrNull }),
  /** Share of the strongest discovery windows whose peak token is one that the direction promotes; null where it never fires. */
  inputScore: numberOrNull,
})
export type OutputFound = z.infer<typeof OutputFound>
