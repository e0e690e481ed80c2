/** What is said of a latent before anything is measured. */
import { z } from 'zod'
import { numberOrNull as number } from './common.ts'

/** Something that, if it is found, refutes the claim: a value of the latent's evidence, by its path, beyond or equal to one. */
export const Falsifier = z
  .strictObject({
    /** Dotted keys of the feature in evidence.json: `studies.transfer.verdict`, `sideEffect.mean`. */
    path: z.string().min(1),
    is: z.union([z.string(), z.number(), z.boolean()]).optional(),
    above: z.number().optional(),
    below: z.number().optional(),
  })
  .refine(({ is, above, below }) => [is, above, below].filter(one => one !== undefined).length === 1, {
    message: 'a falsifier has a path and one of is, above and below',
  })
export type Falsifier = z.infer<typeof Falsifier>

export const Claim = z.strictObject({
  feature: z.int(),
  /** Who stated it: a file of claims, or the settings. */
  stated: z.enum(['file', 'settings']),
  /** The labelled concept, or null where the claim is about what follows the latent's own activations. */
  concept: z.string().nullable(),
  hypothesis: z.string(),
  metric: z.literal('target'),
  /** The primary intervention and the direction in which it should move the metric. */
  primary: z.enum(['ablate', 'steer']),
  direction: z.enum(['increase', 'decrease']),
  smallestEffect: z.number(),
  alpha: z.number(),
  power: z.number(),
  controls: z.record(z.string(), z.int()),
  /** Values of strata in each of which the claim must hold by itself. */
  strata: z.record(z.string(), z.array(z.string())),
  falsifiers: z.array(Falsifier),
  target: z.strictObject({
    source: z.enum(['labels', 'activations']),
    separation: z.number(),
    counted: z.strictObject({ concept: z.number(), rest: z.number() }),
    /** Tokens that weigh most on the concept's side. */
    tokens: z.array(z.strictObject({ token: z.int(), weight: z.number() })),
  }),
  /** From discovery text alone. */
  discovery: z.strictObject({
    density: z.number(),
    auroc: number,
    /** p99 of the latent's nonzero activations: dose 1. */
    unit: z.number(),
    maximum: z.number(),
    /** What text holds along its decoder row where it is active, as a share of what it writes there; null where it writes nothing. */
    held: number,
  }),
  /**
   * How the latent stands among the SAE's active ones at telling its concept, or the one it tells best: 1 is the best. Tied
   * controls are the same of as many random directions. Null where no concept can be judged.
   */
  selection: z.strictObject({ concept: z.string(), rank: z.int(), among: z.int() }).nullable(),
  dose: z.number(),
  doses: z.array(z.number()),
  /** Ids of the validation documents that each intervention will be measured on. */
  documents: z.strictObject({ ablate: z.array(z.string()), steer: z.array(z.string()) }),
})
export type Claim = z.infer<typeof Claim>

/** `claims.json`, written before the first measurement. */
export const Claims = z.strictObject({ schema: z.literal(2), seed: z.number(), claims: z.array(Claim) })
export type Claims = z.infer<typeof Claims>

/** Where the claims of a run come from, by content. */
export const ClaimsSource = z.strictObject({
  /** sha256 of claims.json. */
  sha256: z.string(),
  /** The file of claims that was given, and when it says that it was written; null where the settings made the claims. */
  file: z.strictObject({ sha256: z.string(), written: z.string() }).nullable(),
})
export type ClaimsSource = z.infer<typeof ClaimsSource>
