/** What the study `association` says of a latent. */
import { z } from 'zod'
import { numberOrNull as number } from './common.ts'

const Bounded = z.strictObject({ estimate: number, low: number, high: number })

/** AUROC among pairs that are alike in something. */
const Within = z.strictObject({
  estimate: z.number(),
  low: number,
  high: number,
  p: z.number(),
  pairs: z.int(),
  strata: z.int(),
  documents: z.int(),
})

export const Association = z.strictObject({
  averagePrecision: z.number(),
  prevalence: z.number(),
  /** Chosen on discovery text; null, with what follows from it, where the latent never fires on the concept there. */
  threshold: number,
  precision: number,
  recall: Bounded.nullable(),
  f1: Bounded.nullable(),
  lift: Bounded.nullable(),
  oddsRatio: Bounded.nullable(),
  information: z.strictObject({
    plugIn: z.number(),
    corrected: z.number(),
    givenToken: z.strictObject({ plugIn: z.number(), corrected: z.number() }),
    /** Entropy of the concept: the most that could be known. */
    entropy: z.number(),
  }),
  withinToken: Within.nullable(),
  /** q among the latents tested; null where there is nothing to compare. */
  q: number,
  tied: z.strictObject({ count: z.int(), mean: number, p: number }),
  finding: z.enum(['beyond-token', 'as-random-directions', 'token', 'no-comparison']),
  correlated: z
    .strictObject({
      concept: z.string(),
      /** Correlation of the two concepts over discovery tokens. */
      phi: z.number(),
      givenOther: Within.nullable(),
      otherGiven: Within.nullable(),
      /** Odds ratio of firing and the concept, pooled over tokens with and without the other (Mantel–Haenszel). */
      oddsRatio: Bounded,
      told: z.enum(['claimed', 'other', 'both', 'neither']).nullable(),
    })
    .nullable(),
})
export type Association = z.infer<typeof Association>
