/**
 * The pilot of Neyman's allocation: how much activations vary within each stratum, measured on a small sample of its own
 * before rows are divided among strata.
 *
 *   S_h² = mean over sites of tr(Σ_h) / tr(Σ),  Σ_h the covariance within stratum h, Σ that pooled over the strata
 *
 * so that no site counts more than another for its scale. A stratum with fewer than two tokens in the pilot has S = 1, the
 * pooled spread, and none less than a tenth of it: a pilot that happened to see no variation must not silence a stratum.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeAtomic } from '../core/files.ts'
import type { Model } from '../model/model.ts'
import { inclusionProbabilities } from './allocation.ts'
import type { CaptureConfig } from './config.ts'
import { type CapturedSite, captureShard } from './forward.ts'
import { planShards, selectTokens } from './sampling.ts'
import { refuseNotFinite } from './shards.ts'
import type { Strata } from './strata.ts'

/** What the pilot found. */
export interface Pilot {
  /** Tokens it was measured on. */
  readonly rows: number
  /** S of each stratum, relative to the pooled one, to three digits: what machines may differ in lies below that. */
  readonly spreads: readonly number[]
}

const defaultTokens = 2000
const leastSpread = 0.1

/** Draws the pilot and runs its windows; `stop` throws where that is to end. Throws a `UserError` for activations that are not finite. */
export async function takePilot(
  {
    model,
    sites,
    strata,
    config,
  }: { model: Model; sites: readonly CapturedSite[]; strata: Strata; config: CaptureConfig },
  seed: number,
  stop: () => void,
): Promise<Pilot> {
  const tokens = config.pilotTokens ?? defaultTokens
  const probabilities = inclusionProbabilities(strata, { allocation: 'equal', tokens })
  const selected = selectTokens(strata, probabilities, seed, 'pilot')
  const [plan] = await planShards(selected, strata, Number.POSITIVE_INFINITY, { stop })
  if (!plan) return { rows: 0, spreads: strata.population.map(() => 1) }
  const { values, rows } = await captureShard(model, sites, plan, { batchTokens: config.batchTokens, onTokens: stop })
  for (const [i, { name, width }] of sites.entries()) refuseNotFinite(plan, name, width, values[i]!)
  const count = strata.population.length
  const ratios = sites.map(({ width }, i) => traceRatios(values[i]!, width, rows.stratum, count))
  const spreads = Array.from({ length: count }, (_, h) => {
    const own = ratios.map(site => site[h]!)
    const spread = Math.sqrt(own.reduce((sum, ratio) => sum + ratio, 0) / own.length)
    return Number(Math.max(leastSpread, spread).toPrecision(3))
  })
  return { rows: plan.rows, spreads }
}

/** tr(Σ_h) / tr(Σ) of each of `count` strata; 1 where it cannot be told. */
export function traceRatios(values: Float32Array, width: number, stratum: ArrayLike<number>, count: number): number[] {
  const rows = new Float64Array(count)
  const sums = new Float64Array(count * width)
  const squares = new Float64Array(count)
  for (let row = 0; row < stratum.length; row++) {
    const h = stratum[row]!
    rows[h]!++
    for (let i = 0; i < width; i++) sums[h * width + i]! += values[row * width + i]!
  }
  for (let row = 0; row < stratum.length; row++) {
    const h = stratum[row]!
    for (let i = 0; i < width; i++) squares[h]! += (values[row * width + i]! - sums[h * width + i]! / rows[h]!) ** 2
  }
  let [within, freedom] = [0, 0]
  for (let h = 0; h < count; h++) {
    if (rows[h]! < 2) continue
    within += squares[h]!
    freedom += rows[h]! - 1
  }
  const pooled = within / freedom
  return Array.from(rows, (n, h) => (n < 2 || !(pooled > 0) ? 1 : squares[h]! / (n - 1) / pooled))
}

const Note = z.strictObject({
  schema: z.literal(1),
  key: z.string(),
  rows: z.int(),
  spreads: z.array(z.number()),
})
const noteFile = 'pilot.note.json'

/** Keeps a pilot until the capture is whole. */
export async function notePilot(directory: string, key: string, { rows, spreads }: Pilot): Promise<void> {
  const note: z.infer<typeof Note> = { schema: 1, key, rows, spreads: [...spreads] }
  await writeAtomic(join(directory, noteFile), JSON.stringify(note))
}

/** The pilot that an earlier attempt with the same key took. */
export async function notedPilot(directory: string, key: string): Promise<Pilot | undefined> {
  try {
    const { schema: _, ...note } = Note.parse(JSON.parse(await readFile(join(directory, noteFile), 'utf8')))
    return note.key === key ? { rows: note.rows, spreads: note.spreads } : undefined
  } catch {
    // Whatever is missing or unreadable is done again.
    return undefined
  }
}
