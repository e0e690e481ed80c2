/** A run: one directory under `runs/`, manifest first, closed last, immutable after. (Types; `store.ts` finds and opens runs.) */
import { z } from 'zod'

/** Version of `run.json`. */
export const manifestSchema = 2

/** What a run may be called: one plain folder name everywhere. */
export const RunId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'is not the id of a run')

export const RunInput = z.strictObject({
  /** What the input is to the run: `model`, `dataset`, `capture`, `sae` … */
  role: z.string(),
  /** A run's id, when the input is another run. */
  run: RunId.optional(),
  /** Absolute path when the input is not a run in the store, or the name of something built in (`toyworld`). */
  path: z.string().optional(),
  sha256: z.string(),
})

/** `run.json`. */
export const RunManifest = z.strictObject({
  schema: z.literal(manifestSchema),
  /** Version of what the stages write, under which `key` was made. */
  format: z.int(),
  id: RunId,
  stage: z.string(),
  status: z.enum(['running', 'finished', 'failed', 'interrupted']),
  config: z.record(z.string(), z.unknown()),
  inputs: z.array(RunInput),
  /** sha256 over stage, config and input hashes: two runs with equal keys hold equal bytes. */
  key: z.string(),
  seed: z.number(),
  engine: z.record(z.string(), z.unknown()),
  versions: z.record(z.string(), z.string()),
  machine: z.record(z.string(), z.unknown()),
  started: z.iso.datetime(),
  finished: z.iso.datetime().nullable(),
  /** Figures a reader wants first (FVU, rows, verdict counts …). */
  summary: z.record(z.string(), z.unknown()),
  /** Where the time went (rate, share of waiting); differs between equal runs, and nothing depends on it. */
  timing: z.record(z.string(), z.number()).optional(),
  /** sha256 of each file of the closed run. */
  files: z.record(z.string(), z.string()),
  /** sha256 of all the rest of a finished run's manifest; null before. */
  sha256: z.string().nullable(),
})

export type RunInput = z.infer<typeof RunInput>
export type RunManifest = z.infer<typeof RunManifest>

/** A run where it lies. */
export interface FinishedRun {
  readonly directory: string
  readonly manifest: RunManifest
}
