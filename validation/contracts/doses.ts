/** Evidence of the study `doses`: what a latent does at strengths of both signs. */
import { z } from 'zod'
import { EffectSummary, numberOrNull, Ratio } from './common.ts'

export const DosesFound = z.strictObject({
  documents: z.int(),
  points: z.array(z.strictObject({ dose: z.number(), target: EffectSummary, kl: EffectSummary })),
  /** That the target rises with the dose within documents. */
  trend: z.strictObject({ statistic: z.number(), z: numberOrNull, p: z.number(), permutationP: z.number() }),
  /** Nats a unit of dose at dose 0: between the smallest doses of both signs, and by the gradient. */
  slope: z.strictObject({ observed: EffectSummary, predicted: EffectSummary, ratio: Ratio.nullable() }),
  /** How much of the mean curve a curve that only rises explains. */
  isotonic: numberOrNull,
  /** Fit to the mean curve from dose 0 on; null where it has no such shape. */
  logistic: z
    .strictObject({
      bottom: z.number(),
      top: z.number(),
      ec50: z.number(),
      slope: z.number(),
      rSquared: z.number(),
    })
    .nullable(),
  window: z.strictObject({
    /** The dose from which the effect is smallestEffect, and that at which KL reaches the cap; null where none up to the largest is. */
    effectDose: numberOrNull,
    capDose: numberOrNull,
    /** Second by first; 0 where no dose has the effect, and at least this where KL stays below the cap. */
    ratio: z.number(),
    low: numberOrNull,
    high: numberOrNull,
    atLeast: z.boolean(),
  }),
  /** The effect at the cap of KL, were small edits' laws to hold, and its rank among the controls of the main test; null without. */
  equalKl: z.strictObject({ effect: z.number(), p: z.record(z.string(), z.number()) }).nullable(),
})
export type DosesFound = z.infer<typeof DosesFound>
