/** The settings of a capture: which sites, which tokens, and how they are stored. */
import { z } from 'zod'

const increasing = (edges: readonly number[]) => edges.every((edge, i) => i === 0 || edge > edges[i - 1]!)

/** How rows may be divided among strata (`allocation.ts`). */
export const allocations = ['proportional', 'equal', 'square-root', 'neyman', 'counts'] as const

export const CaptureConfig = z.strictObject({
  sites: z
    .array(z.string().min(1))
    .min(1)
    .describe('Sites whose activations are kept, all from one forward pass, e.g. blocks.2.hook_resid_post'),
  tokens: z.int().min(1).optional().describe('Rows to sample (the count comes out close to it); default: every token'),
  strata: z
    .array(z.string().min(1))
    .default([])
    .describe("What to sample by: document fields, and 'position' and 'frequency' for their bands"),
  allocation: z
    .enum(allocations)
    .default('proportional')
    .describe(
      'Rows of a stratum: at one rate, as many from each, by the root of its size, by size × spread, or as counts says',
    ),
  counts: z
    .array(
      z.strictObject({
        stratum: z.record(z.string(), z.string()).describe('Values of fields, e.g. { language: fi }'),
        tokens: z.int().min(1).describe('Rows of the strata that have these values, all together'),
      }),
    )
    .min(1)
    .optional()
    .describe('Allocation counts: the rows of every stratum'),
  pilotTokens: z
    .int()
    .min(2)
    .optional()
    .describe('Allocation neyman: tokens on which the spread of the strata is measured first (default: 2000)'),
  positionBands: z
    .array(z.int().min(1))
    .refine(increasing, 'must increase')
    .default([8, 32, 128])
    .describe('Positions at which a new position band begins'),
  frequencyBands: z
    .array(z.number().gt(0).lt(1))
    .refine(increasing, 'must increase')
    .default([0.0001, 0.001, 0.01])
    .describe("Shares of all tokens at which a new frequency band begins (a token's share in the training split)"),
  excludePositions: z
    .array(z.int().min(0))
    .default([0])
    .describe('Positions of a window that are left out; position 0 is an attention sink'),
  excludeTokens: z
    .union([z.literal('special'), z.array(z.int().min(0))])
    .default('special')
    .describe('Token ids that are left out wherever they stand; special: BOS, EOS and padding; [] for none'),
  audit: z
    .strictObject({
      fullPass: z
        .boolean()
        .default(false)
        .describe('Run the model over every token, and compare the estimates of the rows with what it gives'),
      nearDuplicate: z
        .number()
        .min(0.3)
        .max(1)
        .default(1)
        .describe('Share of common runs of five tokens from which documents count as copies; 1: equal ones only'),
    })
    .prefault({})
    .describe('How the sample is held to the text it is of'),
  format: z.enum(['arrow', 'parquet']).default('arrow').describe('Training reads arrow; parquet is for other tools'),
  dtype: z.enum(['float32', 'float16']).default('float32').describe('Numbers as stored'),
  shardRows: z.int().min(1).default(16_384).describe('Rows of a shard, about; a shard is held in memory whole'),
  batchRows: z.int().min(1).default(4096).describe('Rows of a record batch within a shard'),
  batchTokens: z.int().min(1).default(4096).describe('Tokens of a forward pass at most, padding included'),
  concurrency: z.int().min(1).max(16).default(2).describe('Shards being written while the next one is computed'),
})
export type CaptureConfig = z.infer<typeof CaptureConfig>
