/** What came of the conditions that a claim states for itself. */
import { z } from 'zod'
import { Falsifier } from './claim.ts'
import { numberOrNull as number, Verdict } from './common.ts'

/** The latent less controls of equal norm within a stratum that the claim must hold in. */
export const StratumHeld = z.strictObject({
  field: z.string(),
  value: z.string(),
  documents: z.int(),
  /** The kind of control that leaves least of the effect there. */
  control: z.string().nullable(),
  difference: number,
  low: number,
  high: number,
  verdict: Verdict,
  reason: z.string(),
})
export type StratumHeld = z.infer<typeof StratumHeld>

/** A falsifier and what was found at its path; undecided where that is nothing. */
export const FalsifierFound = z.strictObject({
  falsifier: Falsifier,
  value: z.union([z.string(), z.number(), z.boolean()]).nullable(),
  state: z.enum(['absent', 'found', 'undecided']),
})
export type FalsifierFound = z.infer<typeof FalsifierFound>
