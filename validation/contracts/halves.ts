/** What the study `halves` says of a latent. */
import { z } from 'zod'

export const Halves = z.strictObject({
  /** Documents of each half, and the level that its rank is held to. */
  documents: z.tuple([z.int(), z.int()]),
  effectiveAlpha: z.number(),
  halvings: z.int(),
  /** Halvings of which both halves pass by the rule, one does, or none. */
  both: z.int(),
  one: z.int(),
  neither: z.int(),
  /** Share of halvings in which both halves lie, in the claimed direction, beyond the mean control of every kind. */
  sameSign: z.number(),
  /** Smallest and largest effect beyond the hardest kind of control that a half has, as claimed. */
  lowest: z.number(),
  highest: z.number(),
  finding: z.enum(['replicates', 'depends-on-documents', 'in-neither-half']),
})
export type Halves = z.infer<typeof Halves>
