/** What several parts of the evidence are written in. */
import { z } from 'zod'

/** JSON has no NaN or infinity: what could not be computed is null. */
export const numberOrNull = z.number().nullable()

export const Verdict = z.enum(['pass', 'fail', 'inconclusive', 'not-run'])
export type Verdict = z.infer<typeof Verdict>

/** How an interval over documents was made; none where they are too few for any. */
export const IntervalMethod = z.enum(['none', 't'])

/** Per-document effects of the latent itself, summarised. */
export const EffectSummary = z.strictObject({
  documents: z.int(),
  mean: numberOrNull,
  low: numberOrNull,
  high: numberOrNull,
  interval: IntervalMethod,
  /** d_z and Hedges' g of the per-document effects. */
  dz: numberOrNull,
  g: numberOrNull,
  /** Sign-flip test of a zero mean. */
  p: numberOrNull,
})
export type EffectSummary = z.infer<typeof EffectSummary>

/** A ratio of two means over the same documents, with its interval. */
export const Ratio = z.strictObject({ ratio: z.number(), low: z.number(), high: z.number() })
export type Ratio = z.infer<typeof Ratio>
