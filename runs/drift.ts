/** What a drift run holds: whether two runs are of one distribution. `pipeline runs drift` makes it, the pages of runs show it. */
import { z } from 'zod'
import { UserError } from '../core/errors.ts'
import { readJson } from '../core/files.ts'

/** Name of the file in its run. */
export const driftFile = 'drift.json'

const probability = z.number().min(0).max(1).nullable()

const Measure = z.strictObject({
  /** `psi`, `ks`, `mmd`, `cosine`, `frechet`, `rate` or `effect`; `definitions` says what each is. */
  name: z.string(),
  /** Null where it is not defined, as for too few documents. */
  value: z.number().nullable(),
  /** What it comes to on average where nothing differs. */
  expected: z.number().nullable(),
  p: probability,
  /** p of the whole family; null for measures that are not tested. */
  adjusted: probability,
})

export const DriftCell = z.strictObject({
  site: z.string(),
  /** Values of the stratum's fields; null for all tokens. */
  stratum: z.record(z.string(), z.string()).nullable(),
  /** The latent, of SAEs and evidence, and its partner in the other SAE; null for activations. */
  latent: z.strictObject({ a: z.int(), b: z.int() }).nullable(),
  /** Documents of each run. */
  documents: z.tuple([z.int(), z.int()]),
  /** The mean in each run, where one number has one. */
  means: z.tuple([z.number().nullable(), z.number().nullable()]),
  measures: z.array(Measure),
  drifted: z.boolean(),
})

/** A run that was compared, by its content. */
const RunName = z.strictObject({ id: z.string(), stage: z.string(), sha256: z.string() })

export const Drift = z.strictObject({
  schema: z.literal(2),
  kind: z.enum(['capture', 'sae', 'evidence']),
  a: RunName,
  b: RunName,
  /** Family-wise error that is allowed, and how p-values were made. */
  alpha: z.number(),
  seed: z.number(),
  draws: z.int(),
  family: z.strictObject({ method: z.string(), size: z.int() }),
  definitions: z.record(z.string(), z.string()),
  /** What the runs differ in besides what was tested, in sentences. */
  notes: z.array(z.string()),
  /** Stability index of the populations over the strata of both; null where there are none, or these are of other fields. */
  composition: z.number().nullable(),
  cells: z.array(DriftCell),
  /** Cells that drifted, and those that could be tested. */
  drifted: z.int(),
  tested: z.int(),
})

export type Drift = z.infer<typeof Drift>
export type DriftCell = z.infer<typeof DriftCell>

/** Reads a results file; a `UserError` where it is missing, of another version or malformed. */
export async function readDrift(path: string): Promise<Drift> {
  const result = Drift.safeParse(await readJson(path, 'drift file'))
  if (result.success) return result.data
  const issue = result.error.issues[0]!
  throw new UserError(
    `The drift file ${path} is not valid at ${issue.path.join('.') || 'its top'}: ${issue.message}.`,
    {
      fix: 'Make it again with pipeline runs drift.',
    },
  )
}

/** A cell as people read it: `blocks.2.hook_resid_post, language fi`, or `latent 12`. */
export function cellName({ site, stratum, latent }: Pick<DriftCell, 'site' | 'stratum' | 'latent'>): string {
  const values = Object.entries(stratum ?? {}).map(([field, value]) => `${field} ${value}`)
  const pair = latent && (latent.a === latent.b ? `latent ${latent.a}` : `latent ${latent.a} (${latent.b})`)
  return [site, ...values, ...(pair ? [pair] : [])].join(', ')
}

/** The least p of the family that a cell came to; null where it was not tested. */
export function leastAdjusted({ measures }: Pick<DriftCell, 'measures'>): number | null {
  const known = measures.flatMap(({ adjusted }) => adjusted ?? [])
  return known.length > 0 ? Math.min(...known) : null
}

/** The cells, the least likely by chance first and those that were not tested last. */
export function unlikelyFirst(cells: readonly DriftCell[]): DriftCell[] {
  const least = (cell: DriftCell) => leastAdjusted(cell) ?? 2
  return [...cells].sort((x, y) => least(x) - least(y))
}

/** The cells that drifted, the least likely first. */
export function driftedCells({ cells }: Pick<Drift, 'cells'>): DriftCell[] {
  return unlikelyFirst(cells).filter(({ drifted }) => drifted)
}
