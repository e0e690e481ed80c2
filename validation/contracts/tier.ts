/** How far the evidence for a claim goes, by stated rules, and what would change that. */
import { z } from 'zod'

export const tierNames = ['proposed', 'underdetermined', 'refuted', 'suggestive', 'supported', 'triangulated'] as const
export const Tier = z.enum(tierNames)
export type Tier = z.infer<typeof Tier>

/** A line of evidence beside the main test, and where it stands. */
export const Line = z.strictObject({
  line: z.enum(['other-intervention', 'out-of-distribution', 'specificity', 'within-token', 'sufficiency']),
  state: z.enum(['holds', 'contradicts', 'undecided', 'not-asked']),
  /** The number or word that it rests on, by its path in the feature's evidence. */
  path: z.string(),
  value: z.union([z.number(), z.string(), z.boolean()]).nullable(),
})
export type Line = z.infer<typeof Line>

/** Something that would make another tier of it: a number beyond a threshold, or a line that comes to hold. */
export const Change = z.strictObject({
  to: Tier,
  path: z.string(),
  value: z.union([z.number(), z.string(), z.boolean()]).nullable(),
  needs: z.enum(['at most', 'above', 'below', 'is']),
  threshold: z.union([z.number(), z.string(), z.boolean()]),
})
export type Change = z.infer<typeof Change>

export const TierFound = z.strictObject({
  tier: Tier,
  /** The rule by which, as docs/validation.md names it. */
  rule: z.string(),
  lines: z.array(Line),
  wouldChange: z.array(Change),
})
export type TierFound = z.infer<typeof TierFound>
