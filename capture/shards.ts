/** The shards of a capture on disk: written whole, each with a note beside it from which an interrupted capture goes on. */
import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../core/errors.ts'
import { sha256File } from '../core/hash.ts'
import { writeAside } from '../core/write-aside.ts'
import { encodeParquetShard, encodeShard, ShardRecord, type SiteColumn } from '../datasets/shards/index.ts'
import { floatsToHalves, halvesToFloats } from '../engine/ops/halves.ts'
import type { CaptureConfig } from './config.ts'
import type { CapturedSite, ComputedShard } from './forward.ts'
import type { ShardPlan } from './sampling.ts'
import { type Moments, momentsOf, roundingOfRows } from './statistics.ts'

const MomentsNote = z.strictObject({
  rows: z.int(),
  mean: z.array(z.number()),
  m2: z.array(z.number()),
  weights: z.number(),
  weighted: z.array(z.number()),
  norms: z.number(),
  rounding: z.strictObject({ error: z.number(), squares: z.number(), largest: z.number() }).nullable(),
})

const Note = z.strictObject({
  schema: z.literal(2),
  /** Hash of everything the shard's bytes depend on. */
  key: z.string(),
  shard: ShardRecord,
  moments: z.array(MomentsNote),
  /** Of all tokens of the shard's windows that could have been taken; null where no full pass is done. */
  population: z.array(MomentsNote).nullable(),
})

/** What is known of a finished shard: its record, and each site's moments. */
export interface FinishedShard {
  readonly shard: ShardRecord
  readonly moments: readonly Moments[]
  /** The same of all tokens of its windows; null where no full pass is done. */
  readonly population: readonly Moments[] | null
}

/** Throws a `UserError` for the first row [width] of a site that holds NaN or an infinity, with its place in the text. */
export function refuseNotFinite(plan: ShardPlan, site: string, width: number, values: Float32Array): void {
  const at = values.findIndex(value => !Number.isFinite(value))
  if (at < 0) return
  const row = Math.floor(at / width)
  throw notFinite(plan, site, row, values.subarray(row * width, (row + 1) * width))
}

/** Name of a shard's files, without their ending. */
export const stemOf = (number: number) => `shard-${String(number).padStart(5, '0')}`
const noteOf = (number: number) => `${stemOf(number)}.note.json`

/**
 * Writes a shard, then its note; rows in shared memory are not copied for it. Throws a `UserError` for values that are not finite or
 * too large for float16.
 */
export async function writeShard(
  directory: string,
  plan: ShardPlan,
  sites: readonly CapturedSite[],
  { values, rows, population }: ComputedShard,
  { config, probabilities, key }: { config: CaptureConfig; probabilities: readonly number[]; key: string },
): Promise<FinishedShard> {
  const weights = Float32Array.from(probabilities, probability => 1 / probability)
  const weight = new Float32Array(plan.rows)
  for (let row = 0; row < plan.rows; row++) weight[row] = weights[rows.stratum[row]!]!
  const columns: SiteColumn[] = []
  const moments: Moments[] = []
  for (const [i, { name, width }] of sites.entries()) {
    const computed = values[i]!
    const halves =
      config.dtype === 'float16'
        ? floatsToHalves(computed, new Uint16Array(new SharedArrayBuffer(computed.length * 2)))
        : undefined
    const stored = halves ? halvesToFloats(halves, new Float32Array(computed.length)) : computed
    columns.push({ name, width, values: halves ?? computed })
    const own = momentsOf(stored, width, weight, row => {
      throw notFinite(plan, name, row, computed.subarray(row * width, (row + 1) * width))
    })
    moments.push(halves ? { ...own, rounding: roundingOfRows(computed, stored, width) } : own)
  }
  const path = join(directory, `${stemOf(plan.number)}.${config.format}`)
  const all = { ...rows, weight, sites: columns }
  const { format, batchRows } = config
  const pieces = format === 'arrow' ? await encodeShard(all, batchRows) : [encodeParquetShard(all, batchRows)]
  // The model goes on meanwhile.
  const { bytes, sha256 } = await writeAside(path, pieces)
  const shard: ShardRecord = {
    ...{ file: basename(path), rows: plan.rows, bytes, sha256 },
    windows: [plan.windows[0], plan.windows[1]],
  }
  const note: z.infer<typeof Note> = { schema: 2, key, shard, moments, population: population && [...population] }
  // A note that a power cut spoils is none: its shard is done again.
  await writeAside(join(directory, noteOf(plan.number)), [Buffer.from(JSON.stringify(note))], { flush: false })
  return { shard, moments, population }
}

/** A shard that an earlier attempt finished with the same key; its content is checked. */
export async function finishedShard(
  directory: string,
  plan: ShardPlan,
  key: string,
): Promise<FinishedShard | undefined> {
  try {
    const note = Note.parse(JSON.parse(await readFile(join(directory, noteOf(plan.number)), 'utf8')))
    if (note.key !== key) return undefined
    const path = join(directory, note.shard.file)
    const { size } = await stat(path)
    return size === note.shard.bytes && (await sha256File(path)) === note.shard.sha256 ? note : undefined
  } catch {
    // Whatever is missing or unreadable is done again.
    return undefined
  }
}

/** Removes the notes, once the manifest holds what they say. */
export async function removeNotes(directory: string): Promise<void> {
  for (const name of await readdir(directory))
    if (name.endsWith('.note.json')) await rm(join(directory, name), { force: true })
}

/** The error for a row that cannot be stored, with the place in the text that it comes from. */
function notFinite(plan: ShardPlan, site: string, row: number, computed: Float32Array): UserError {
  let before = 0
  const { window, positions } = [...plan.selected].find(({ positions }) => {
    before += positions.length
    return before > row
  })!
  const position = positions[row - (before - positions.length)]!
  const place = `at ${site}, position ${position} of ${window.id}`
  const wrong = computed.find(value => !Number.isFinite(value))
  if (wrong === undefined)
    return new UserError(
      `An activation ${place} is larger than float16 can hold (${computed.reduce((most, value) => Math.max(most, Math.abs(value)), 0)}).`,
      {
        fix: 'Capture with dtype float32.',
      },
    )
  return new UserError(`An activation ${place} is ${wrong}.`, {
    fix: 'Check the model (`pipeline model verify`): its weights or its config are likely damaged.',
  })
}
