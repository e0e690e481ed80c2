/** `capture.json`: what the activation shards beside it hold, of what they are a sample, and whose they are. */
import { z } from 'zod'
import { DatasetConfig } from '../config.ts'
import { CaptureAudit } from './audit.ts'

/** Statistics of one site over the stored rows, in float64. */
export const SiteStatistics = z.strictObject({
  /** Mean of each dimension. */
  mean: z.array(z.number()),
  /** Population variance (divided by the number of rows) of each dimension. */
  variance: z.array(z.number()),
  /** Mean of each dimension with every row counted by its weight: an estimate for all tokens sampled from. */
  populationMean: z.array(z.number()),
  /** Mean of the rows' Euclidean norms. */
  norm: z.number(),
  /** What storing as float16 changed: ‖stored − computed‖ / ‖computed‖ over all values, and the largest difference; null for float32. */
  rounding: z.strictObject({ relative: z.number().min(0), largest: z.number().min(0) }).nullable(),
})

export const StratumRecord = z.strictObject({
  /** What a shard's `stratum` column holds. */
  index: z.int(),
  /** The stratum's value of each field, e.g. { language: 'en', position: '16-63' }. */
  values: z.record(z.string(), z.string()),
  /** Tokens that could have been taken. */
  population: z.int().min(0),
  /** Tokens that were. */
  sample: z.int().min(0),
  /** Inclusion probability of each; the rows' weight is 1 / probability. */
  probability: z.number(),
})

export const ShardRecord = z.strictObject({
  file: z.string(),
  rows: z.int().min(0),
  bytes: z.int().min(0),
  sha256: z.string(),
  /** Windows whose tokens it holds: indices from the first up to, not including, the second. */
  windows: z.tuple([z.int().min(0), z.int().min(0)]),
})

export const WindowsRecord = z.strictObject({
  file: z.string(),
  rows: z.int().min(0),
  bytes: z.int().min(0),
  sha256: z.string(),
})

export const CaptureManifest = z.strictObject({
  schema: z.literal(3),
  model: z.strictObject({ name: z.string(), hash: z.string(), family: z.string() }),
  weight_processing: z.literal('none'),
  tokenizer: z.strictObject({ hash: z.string() }),
  dataset: z.strictObject({
    name: z.string(),
    hash: z.string(),
    /** Tokens of a window at most. */
    context: z.int(),
    /** Whether windows begin with (or, joined, hold) a BOS token. */
    bos: z.boolean(),
    config: DatasetConfig.optional(),
    documents: z.int().min(0),
    /** Documents that were left out because they cannot be used, by reason. */
    skipped: z.array(z.strictObject({ reason: z.string(), count: z.int().min(0) })),
    /** Packed files without checksums, whose bytes may have been changed unseen; absent where there are none. */
    unchecked: z.array(z.string()).min(1).optional(),
    /** Windows of each split; rows come from `train` alone. */
    windows: z.record(z.string(), z.int().min(0)),
  }),
  seed: z.number(),
  format: z.enum(['arrow', 'parquet']),
  dtype: z.enum(['float32', 'float16']),
  rows: z.int().min(0),
  /** Rows of each record batch but a shard's last. */
  batchRows: z.int().min(1),
  sites: z.array(z.strictObject({ name: z.string(), width: z.int().min(1), statistics: SiteStatistics })),
  sampling: z.strictObject({
    fields: z.array(z.string()),
    allocation: z.enum(['proportional', 'equal', 'square-root', 'neyman', 'counts']),
    /** Rows asked for; null for all, and where every stratum's count was given. */
    tokens: z.int().nullable(),
    /** What Neyman's allocation was measured on, and the spread of each stratum it found; null for the others. */
    pilot: z.strictObject({ rows: z.int().min(0), spreads: z.array(z.number().positive()) }).nullable(),
    excludePositions: z.array(z.int()),
    /** Token ids that were left out wherever they stand. */
    excludeTokens: z.array(z.int()),
    positionBands: z.array(z.int()),
    frequencyBands: z.array(z.number()),
    population: z.int(),
    strata: z.array(StratumRecord),
  }),
  /** How well the rows stand for the population; null in captures of schema 1 and 2. */
  audit: CaptureAudit.nullable(),
  shards: z.array(ShardRecord),
  /** The table that leads from windows back to documents; null in captures of schema 1. */
  windows: WindowsRecord.nullable(),
})

export type SiteStatistics = z.infer<typeof SiteStatistics>
export type StratumRecord = z.infer<typeof StratumRecord>
export type WindowsRecord = z.infer<typeof WindowsRecord>
export type ShardRecord = z.infer<typeof ShardRecord>
export type CaptureManifest = z.infer<typeof CaptureManifest>

/**
 * A manifest of schema 1 or 2 in the form of today. One of schema 1 left no token out by id, skipped no document, and has no
 * table of windows; neither knew a pilot, an audit or the error of rounding.
 */
export function upgradeManifest(value: unknown): unknown {
  const old = value as { schema?: unknown; dataset?: object; sampling?: object; sites?: unknown }
  const first = old.schema === 1
  return {
    ...old,
    schema: 3,
    audit: null,
    ...(Array.isArray(old.sites) && { sites: old.sites.map(withoutRounding) }),
    ...(first && { dataset: { ...old.dataset, skipped: [] }, windows: null }),
    sampling: { ...old.sampling, ...(first && { excludeTokens: [] }), pilot: null },
  }
}

function withoutRounding(site: { statistics?: object }): object {
  return { ...site, statistics: { ...site.statistics, rounding: null } }
}
