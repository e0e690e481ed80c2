/** What the study `siblings` says of a latent: whether its matches in other SAEs of the site do the same. */
import { z } from 'zod'
import { numberOrNull as number } from './common.ts'

const Sibling = z.strictObject({
  /** The SAE as the settings name it, and its content. */
  sae: z.string(),
  hash: z.string(),
  /** The latent's partner in the best one-to-one matching of decoder rows; null where it has none. */
  match: z.int().nullable(),
  cosine: number,
  /** Whether |cosine| reaches that from which latents count as the same. */
  matched: z.boolean(),
  documents: z.int(),
  /** Effect on the claim's target beyond the controls that leave least of it, as claimed, nats. */
  difference: number,
  low: number,
  high: number,
  passes: z.boolean(),
})

export const Siblings = z.strictObject({
  siblings: z.array(Sibling),
  matched: z.int(),
  /** Siblings with a matched latent that passes, and the exact interval of their share. */
  passed: z.int(),
  low: z.number(),
  high: z.number(),
  finding: z.enum(['replicates', 'in-some', 'in-none', 'unmatched']),
})
export type Siblings = z.infer<typeof Siblings>
