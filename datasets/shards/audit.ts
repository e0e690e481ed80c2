/** The audit of a capture: how well its rows stand for the text they were sampled from (`capture/audit/`). */
import { z } from 'zod'

const count = z.int().min(0)
const share = z.number().min(0).max(1)
const probability = share.nullable()

/** An estimate for all tokens sampled from, its interval, and what the full pass gave; null where none was done. */
const Estimate = z.strictObject({
  estimate: z.number(),
  low: z.number(),
  high: z.number(),
  full: z.number().nullable(),
})

/** χ² of counts against what the draw should give; p is null where nothing was left to chance. */
const ChiSquare = z.strictObject({ statistic: z.number().min(0), df: count, p: probability })

const StratumAudit = z.strictObject({
  index: count,
  /** Rows that the draw should give. */
  expected: z.number().min(0),
  /** Documents (`datasets/unit.ts`) that its rows are of. */
  documents: count,
  /** Rows that would say as much if none were of the same document, the least over the sites; null for one document. */
  effectiveSize: z.number().min(0).nullable(),
  /** Smallest effect (d_z) that a claim about so many documents finds; null where they are too few to pass at all. */
  detectable: z.number().nullable(),
  /** Whether only very large effects (d_z above .8), or none, could be shown. */
  thin: z.boolean(),
})

const FieldAudit = z.strictObject({
  field: z.string(),
  values: count,
  /** Population stability index of the rows against the population, as they are and counted by their weights. */
  psi: z.strictObject({ rows: z.number().min(0), weighted: z.number().min(0) }),
  chiSquare: ChiSquare,
  /** The value whose weighted share is furthest from the population's. */
  furthest: z.strictObject({ value: z.string(), population: share, weighted: z.number().min(0) }).nullable(),
})

const SiteAudit = z.strictObject({
  name: z.string(),
  /** The weighted mean: how far it is likely off, and off, in root mean squares of the deviation from the mean. */
  mean: z.strictObject({
    error: z.number().min(0),
    distance: z.number().min(0).nullable(),
    /** Share of dimensions whose interval holds the full pass's mean. */
    within: share.nullable(),
    /** p of the dimension that is furthest off, times the number of dimensions. */
    p: probability,
  }),
  /** Trace of the covariance, and mean Euclidean norm. */
  trace: Estimate,
  norm: Estimate,
  /** Rows whose norm lies beyond quartiles ± 3 interquartile ranges (Tukey's outer fences). */
  outliers: z.strictObject({
    low: z.number(),
    high: z.number(),
    rows: count,
    largest: z.array(
      z.strictObject({ window: z.string(), position: count, token: z.int(), stratum: count, norm: z.number() }),
    ),
  }),
})

export const CaptureAudit = z.strictObject({
  /** Level of all intervals. */
  level: z.number(),
  fullPass: z.boolean(),
  /** (Σ w)² / Σ w² of the rows' weights (Kish 1965). */
  effectiveSize: z.number().min(0),
  /** Counts of the strata against those expected. */
  draw: ChiSquare,
  strata: z.array(StratumAudit),
  fields: z.array(FieldAudit),
  vocabulary: z.strictObject({
    /** Ids that the model knows, that the population has, and that the rows have. */
    model: count,
    population: count,
    rows: count,
    /** Share of the population's tokens whose id the rows have. */
    coverage: share,
    /** The most frequent ids that they lack. */
    missing: z.array(z.strictObject({ token: z.int(), population: count })),
  }),
  documents: z.strictObject({
    population: count,
    rows: count,
    /** Those with most rows. */
    largest: z.array(z.strictObject({ id: z.string(), population: share, rows: share })),
    /** Those with more rows than the draw should give (p, times the number of documents, below .01). */
    overRepresented: z.array(z.strictObject({ id: z.string(), expected: z.number(), rows: count, p: share })),
    duplicates: z.strictObject({
      /** Jaccard index from which documents count as copies; 1 for equal ones only. */
      threshold: share,
      /** Documents that are a copy of an earlier one, and the share of rows that are of such. */
      documents: count,
      rows: share,
      largest: z.array(z.strictObject({ id: z.string(), copies: count })),
    }),
  }),
  sites: z.array(SiteAudit),
})

export type CaptureAudit = z.infer<typeof CaptureAudit>
export type ChiSquare = z.infer<typeof ChiSquare>
export type SiteAudit = z.infer<typeof SiteAudit>
