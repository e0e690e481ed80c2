/** What the study `heterogeneity` says of a latent: how much its effect differs between the values of each stratum field. */
import { z } from 'zod'
import { numberOrNull as number, Ratio } from './common.ts'

const Field = z.strictObject({
  field: z.string(),
  /** Values with documents enough for a mean and its error, and documents in them. */
  strata: z.int(),
  documents: z.int(),
  /** Random-effects mean over the strata, with Hartung and Knapp's interval. */
  pooled: number,
  low: number,
  high: number,
  cochranQ: number,
  df: number,
  i2: number,
  tau2: number,
  /** Of equal effects, by dealing documents to strata; q among all fields of all latents. */
  p: z.number(),
  q: z.number(),
  /** The stratum with the smallest effect, its interval at level 1 − α by the number of strata. */
  worst: z.strictObject({
    value: z.string(),
    documents: z.int(),
    difference: z.number(),
    low: number,
    high: number,
    ratio: Ratio.nullable(),
  }),
  /** Whether that interval lies beyond 0. */
  everywhere: z.boolean(),
})

export const Heterogeneity = z.strictObject({
  control: z.string().nullable(),
  fields: z.array(Field),
})
export type Heterogeneity = z.infer<typeof Heterogeneity>
