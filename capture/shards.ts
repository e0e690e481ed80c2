/** The shards of a capture on disk: written whole, each with a note beside it from which an interrupted capture goes on. */
import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../core/errors.ts'
import { writeAtomic } from '../core/files.ts'
import { sha256File } from '../core/hash.ts'
import { sha256FileAside } from '../core/hash-aside.ts'
import {
  encodeParquetShard,
  encodeShard,
  floatsToHalves,
  halvesToFloats,
  type ShardColumns,
  ShardRecord,
  type SiteColumn,
} from '../datasets/shards/index.ts'
import type { CaptureConfig } from './config.ts'
import type { CapturedSite, ComputedShard } from './forward.ts'
import type { ShardPlan } from './sampling.ts'
import { type Moments, momentsOf, roundingOf } from './statistics.ts'

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

/** Writes a shard, then its note. Throws a `UserError` for values that are not finite or too large for float16. */
export async function writeShard(
  directory: string,
  plan: ShardPlan,
  sites: readonly CapturedSite[],
  { values, population }: ComputedShard,
  { config, probabilities, key }: { config: CaptureConfig; probabilities: readonly number[]; key: string },
): Promise<FinishedShard> {
  const rows = rowsOf(plan, probabilities)
  const columns: SiteColumn[] = []
  const moments: Moments[] = []
  for (const [i, { name, width }] of sites.entries()) {
    const computed = values[i]!
    const halves = config.dtype === 'float16' ? floatsToHalves(computed) : undefined
    const stored = halves ? halvesToFloats(halves, new Float32Array(computed.length)) : computed
    columns.push({ name, width, values: halves ?? computed })
    const own = momentsOf(stored, width, rows.weight, row => {
      throw notFinite(plan, name, row, computed.subarray(row * width, (row + 1) * width))
    })
    moments.push(halves ? { ...own, rounding: roundingOf(computed, stored) } : own)
  }
  const path = join(directory, `${stemOf(plan.number)}.${config.format}`)
  const bytes = await writePieces(path, { ...rows, sites: columns }, config)
  const shard: ShardRecord = {
    file: basename(path),
    rows: plan.rows,
    bytes,
    // The model goes on while the file is hashed.
    sha256: await sha256FileAside(path),
    windows: [plan.windows[0], plan.windows[1]],
  }
  const note: z.infer<typeof Note> = { schema: 2, key, shard, moments, population: population && [...population] }
  await writeAtomic(join(directory, noteOf(plan.number)), JSON.stringify(note))
  return { shard, moments, population }
}

/** Writes a shard's file, which is never in memory beside its columns where it is Arrow; how many bytes it has. */
async function writePieces(path: string, columns: ShardColumns, { format, batchRows }: CaptureConfig): Promise<number> {
  let bytes = 0
  async function* counted() {
    const pieces = format === 'arrow' ? encodeShard(columns, batchRows) : [encodeParquetShard(columns, batchRows)]
    for await (const piece of pieces) {
      bytes += piece.length
      yield piece
    }
  }
  await writeAtomic(path, counted())
  return bytes
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

/** The columns beside the activations, by windows and positions. */
function rowsOf(plan: ShardPlan, probabilities: readonly number[]) {
  const rows = {
    document: new Uint32Array(plan.rows),
    position: new Uint16Array(plan.rows),
    token: new Int32Array(plan.rows),
    stratum: new Uint16Array(plan.rows),
    weight: new Float32Array(plan.rows),
  }
  let row = 0
  for (const { window, positions, strata } of plan.selected) {
    positions.forEach((position, i) => {
      rows.document[row] = window.index
      rows.position[row] = position
      rows.token[row] = window.tokens[position]!
      rows.stratum[row] = strata[i]!
      rows.weight[row] = 1 / probabilities[strata[i]!]!
      row++
    })
  }
  return rows
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
