/** Evidence of measures of the SAE as a whole (`validation/measures/`). */
import { z } from 'zod'
import { numberOrNull as number } from './common.ts'

/** What SAEs must differ by to differ at all: null for fewer than three repetitions. */
const repeated = { smallestReliableDifference: number }
const Accuracy = { accuracy: z.number(), ...repeated }

export const ProbingFound = z.strictObject({
  repeats: z.int(),
  /** Probes of all values at the site. */
  values: z.strictObject(Accuracy),
  latents: z.array(z.strictObject({ k: z.int(), ...Accuracy, share: number })),
  concepts: z.array(
    z.strictObject({
      concept: z.string(),
      level: z.enum(['token', 'window']),
      values: z.number(),
      latents: z.array(z.strictObject({ k: z.int(), accuracy: z.number() })),
    }),
  ),
})
export type ProbingFound = z.infer<typeof ProbingFound>

const Mean = z.strictObject({ mean: z.number(), ...repeated })
const absorption = ['full', 'fraction', 'splits', 'mainF1'] as const

export const AbsorptionFound = z.strictObject({
  repeats: z.int(),
  ...(Object.fromEntries(absorption.map(name => [name, Mean])) as Record<(typeof absorption)[number], typeof Mean>),
  concepts: z.array(
    z.strictObject({
      concept: z.string(),
      probeF1: z.number(),
      ...{ full: z.number(), fraction: z.number(), splits: z.number(), mainF1: z.number() },
      /** Tokens with the concept that the probe tells, on average. */
      told: z.number(),
      absorbers: z.array(z.int()),
    }),
  ),
})
export type AbsorptionFound = z.infer<typeof AbsorptionFound>

/** Shares of pairs of entities. */
const Ravel = { cause: z.number(), isolation: z.number(), score: z.number() }

export const RavelFound = z.strictObject({
  repeats: z.int(),
  /** Entities of which the model knows every attribute, and attributes. */
  entities: z.int(),
  ...{ cause: Mean, isolation: Mean, score: Mean },
  attributes: z.array(z.strictObject({ attribute: z.string(), latents: z.number(), ...Ravel })),
  /** The same with all latents changed, and with the value at the site itself. */
  all: z.strictObject(Ravel),
  values: z.strictObject(Ravel),
})
export type RavelFound = z.infer<typeof RavelFound>
