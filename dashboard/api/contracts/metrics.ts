/** Metrics of runs: records by byte cursor, curves in buckets, and what happens while one looks. */
import { z } from 'zod'
import { number, Row, reads, several, whole } from '../contract.ts'
import { RunLine } from './runs.ts'

export const metrics = reads({
  name: 'metrics',
  path: '/api/runs/{run}/metrics',
  summary: 'Metrics of a run, finished or running, from a byte on: ask again with the cursor of the answer',
  query: z.strictObject({
    cursor: whole(0, Number.MAX_SAFE_INTEGER)
      .default(0)
      .describe('Where to go on: 0, or the cursor of the last answer'),
  }),
  answer: z.strictObject({
    records: z.array(Row),
    cursor: z.int(),
    /** Whether there is more at the moment. */
    more: z.boolean(),
    status: z.string(),
  }),
})

const Curve = z.strictObject({
  key: z.string(),
  /** The x of each bucket's last record, and of the records with this key: smallest, largest, last and how many. */
  x: z.array(z.number()),
  min: z.array(z.number()),
  max: z.array(z.number()),
  last: z.array(z.number()),
  count: z.array(z.int()),
  /** Values that are no finite numbers (null in the file), by their x: they are in no bucket. */
  missing: z.array(z.number()),
})

export const curves = reads({
  name: 'curves',
  path: '/api/runs/{run}/curves',
  summary: 'Metrics as curves: smallest, largest and last value in each of so many equal parts of x',
  query: z.strictObject({
    key: several.describe('Metrics to give (default: every number)'),
    x: z.string().default('step').describe('The metric along x, such as step or tokens'),
    from: z.coerce.number().optional().describe('Only records from this x on'),
    to: z.coerce.number().optional().describe('Only records up to this x'),
    buckets: whole(1, 4000).default(800).describe('Parts of x, such as the pixels of the chart'),
    grid: z.coerce.number().positive().optional().describe('Width of a part, so that several runs share one grid'),
  }),
  answer: z.strictObject({
    x: z.string(),
    /** Records read; those without a number for x are left out. */
    records: z.int(),
    skipped: z.int(),
    width: number,
    curves: z.array(Curve),
    /** Where the step goes back: the run went on from a checkpoint. */
    resumed: z.array(z.number()),
    status: z.string(),
  }),
})

/** The data of an event. */
const Live = z.union([
  z.strictObject({
    /** Hash of the whole listing: another one than that of the last event means that something changed. */
    tag: z.string(),
    /** Lines that are new or changed since the last event; at first those of runs that run. */
    runs: z.array(RunLine),
    /** Runs that are gone. */
    gone: z.array(z.string()),
  }),
  z.strictObject({ run: z.string(), records: z.array(Row), cursor: z.int() }),
  z.strictObject({ run: z.string(), reason: z.string() }),
])

export const live = reads({
  name: 'live',
  path: '/api/live',
  summary:
    'What happens, as server-sent events: `runs` when a manifest changes, `metrics` with new records of runs that are watched, `reset` where a run went back to a checkpoint and its curve begins anew. The id of an event says how far the stream is: sent back as Last-Event-ID it goes on there, on any server of the store',
  query: z.strictObject({
    run: several.describe('Runs whose metrics are watched, at most 32'),
    cursor: z
      .string()
      .optional()
      .describe('Where to begin, as the id of an event says it (run:byte,run:byte); default: at the first record'),
  }),
  answer: Live,
  events: ['runs', 'metrics', 'reset'],
})
