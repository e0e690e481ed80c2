/**
 * How much writing holds a capture up: the passes of some shards with their writing, to the last byte on disk, and the same passes
 * alone, by turns. Three measures: how long the thread that runs the model did something else between its passes, which is what has
 * a bound; the processors' time, beside what hashing and copying as many bytes takes, which no writing does without; and the clock, by
 * which a small model on all processors is held up by as much as writing takes of them.
 */
import { createHash } from 'node:crypto'
import { closeSync, openSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { computeShards, planCapture } from '../capture/capture.ts'
import { CaptureConfig } from '../capture/config.ts'
import { captureShard } from '../capture/forward.ts'
import { silent } from '../core/progress.ts'
import { memoryMetrics } from '../core/stage.ts'
import { DatasetConfig } from '../datasets/config.ts'
import { startEngine } from '../engine/engine.ts'
import { findDataset, findModel, loadModelAndText } from '../pipeline/stages/inputs.ts'
import { median } from './noise.ts'
import { defineBench, flags, type Teller } from './options.ts'
import { machine } from './workers.ts'

const Config = z.strictObject({
  rounds: flags.rounds,
  model: z.string().default('toyworld').describe('Hugging Face model directory, or the built-in model toyworld'),
  documents: z.string().default('toyworld').describe('Text, or toyworld'),
  sites: z.array(z.string()).nonempty().default(['blocks.1.hook_resid_post']).describe('Sites that are captured'),
  shards: z.int().min(2).default(8).describe('Shards of a round, of 16,384 rows each'),
  dtype: z.enum(['float32', 'float16']).default('float32').describe('Numbers as stored'),
})

export default defineBench({
  about:
    'How much writing holds a capture up: passes of shards with their writing against the same passes alone, by turns, of every token of the text. Where the thread of the model waits above 5 % of the time it ends with code 2.',
  examples: [
    'npm run bench -- capture-writing',
    'npm run bench -- capture-writing --model models/mine --documents corpus.jsonl --sites blocks.2.hook_resid_post',
  ],
  config: Config,
  engine: 'tensorflow',
  run: measure,
})

/** Seconds of one round. */
interface Times {
  readonly clock: number
  /** Of all threads, the system's work for them included. */
  readonly processors: number
}

async function timed<T>(step: () => Promise<T>): Promise<{ times: Times; result: T }> {
  const before = process.cpuUsage()
  const start = performance.now()
  const result = await step()
  const clock = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(before)
  return { times: { clock, processors: (user + system) / 1e6 }, result }
}

/** The share of its time that the thread of the model may wait for writing. */
const allowed = 0.05

/** Seconds of a processor to hash a byte and to copy it to the system, in pieces that its cache holds: what no writing does without. */
async function leastOf(folder: string): Promise<number> {
  const piece = new Uint8Array(1 << 17).fill(1)
  const pieces = 512
  const file = openSync(join(folder, 'least'), 'w')
  const of = async () =>
    (
      await timed(async () => {
        const hash = createHash('sha256')
        for (let i = 0; i < pieces; i++) {
          // The same place again and again: nothing waits for a disk.
          writeSync(file, piece, 0, piece.length, 0)
          hash.update(piece)
        }
        hash.digest()
      })
    ).times.processors
  try {
    const rounds = [await of(), await of(), await of()]
    return Math.min(...rounds) / (pieces * piece.length)
  } finally {
    closeSync(file)
  }
}

async function measure(config: z.output<typeof Config>, tell: Teller): Promise<void> {
  await startEngine({ engine: 'tensorflow' })
  const folder = await mkdtemp(join(tmpdir(), 'bench-capture-writing-'))
  const { signal } = new AbortController()
  const session = { directory: folder, seed: 0, progress: silent, signal, metrics: memoryMetrics() }
  try {
    const { model, dataset } = await loadModelAndText(
      await findModel(config.model),
      { ...(await findDataset(config.documents)), config: DatasetConfig.parse({ path: config.documents }) },
      session,
    )
    const settings = CaptureConfig.parse({ sites: config.sites, dtype: config.dtype })
    const work = await planCapture(session, { model, dataset, config: settings })
    const plans = work.plans.slice(0, config.shards)
    const tokens = plans.reduce((sum, { passed }) => sum + passed, 0)
    // Arrays are used again there, too.
    const most = Math.max(...plans.map(({ rows }) => rows))
    const into = work.sites.map(({ width }) => new Float32Array(most * width))
    const { batchTokens } = settings
    const passes = async () => {
      for (const plan of plans) await captureShard(model, work.sites, plan, { batchTokens, onTokens() {}, into })
    }
    const writes = () => computeShards(session, work, plans, () => {})
    const alone: Times[] = []
    const written: Times[] = []
    const waits: number[] = []
    await passes()
    await writes()
    for (let round = 0; round < config.rounds; round++) {
      alone.push((await timed(passes)).times)
      const { times, result } = await timed(writes)
      written.push(times)
      waits.push(result.waiting / (result.passing + result.waiting))
    }
    const of = (measure: keyof Times) => {
      const [a, b] = [alone, written].map(rounds => median(rounds.map(times => times[measure]))) as [number, number]
      return { alone: a, written: b, held: b / a - 1 }
    }
    const [clock, processors, waiting] = [of('clock'), of('processors'), median(waits)]
    const bytes = work.sites.reduce((sum, { width }) => sum + width, 0) * (config.dtype === 'float16' ? 2 : 4)
    const percent = (share: number) => `${(100 * share).toFixed(1)} %`
    const rows = plans.reduce((sum, plan) => sum + plan.rows, 0)
    const microseconds = (value: number) => `${(1e6 * value).toFixed(2)} µs`
    const [row, least] = [(processors.written - processors.alone) / rows, bytes * (await leastOf(folder))]
    const line = (what: string, { alone, written, held }: ReturnType<typeof of>) =>
      tell.line(
        `${what}: passes alone ${alone.toFixed(2)} s, with writing ${written.toFixed(2)} s: ${percent(held)} longer`,
      )
    tell.line(machine())
    tell.line(
      `${config.model}, ${config.sites.join(', ')}, ${plans.length} shards of ${config.dtype}, ${tokens} tokens, ${bytes} bytes a row`,
    )
    tell.line(`the model waited ${percent(waiting)} of the time; it may wait ${percent(allowed)}`)
    line('by the clock', clock)
    line('by the time of processors', processors)
    tell.line(
      `a token's passes take ${microseconds(processors.alone / tokens)} of a processor, a row's writing ${microseconds(row)}; hashing and copying alone ${microseconds(least)}`,
    )
    tell.result({
      ...{ benchmark: 'capture-writing', tokens, rows, bytes, shards: plans.length },
      ...{ clock, processors, waiting, secondsARow: row, leastSecondsARow: least },
    })
    if (waiting > allowed)
      tell.fail(`The model waits ${percent(waiting)} of its time for writing; it may wait ${percent(allowed)}.`)
    model.dispose()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
