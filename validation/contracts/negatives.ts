/** Evidence of the study `negatives`: whether the latent tells its concept from what is most like it. */
import { z } from 'zod'
import { numberOrNull } from './common.ts'

/** AUROC of the latent between tokens with the concept and one kind of hard negatives. */
const Negatives = z.strictObject({
  tokens: z.int(),
  documents: z.int(),
  auroc: numberOrNull,
  low: numberOrNull,
  high: numberOrNull,
  /** (AUROC − ½) as a share of that among all tokens. */
  share: numberOrNull,
  /** Whether the latent tells them apart: true where the interval lies above ½, false where it lies below minimumAuroc, else null. */
  told: z.boolean().nullable(),
})

export const HardNegatives = z.strictObject({
  positives: z.int(),
  /** Among all tokens. */
  all: numberOrNull,
  /** Tokens without the concept whose token id occurs with it, too: the same word in another sense. */
  sameToken: Negatives,
  /** Tokens without it that lie farthest towards it along the difference of means on discovery text: the first tenth. */
  nearest: Negatives,
  /** Both told: true; either not: false; else null. */
  told: z.boolean().nullable(),
})
export type HardNegatives = z.infer<typeof HardNegatives>
