/**
 * How much writing holds a capture up: the passes of some shards with their writing, and the same passes alone, by turns. What
 * the first takes longer is statistics, encoding and handing over; hashing and the disk are waited for beside the next passes, but
 * for those of a round's last shard.
 */
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
  shards: z.int().min(2).default(4).describe('Shards of a round, of 16,384 rows each'),
  dtype: z.enum(['float32', 'float16']).default('float32').describe('Numbers as stored'),
})

export default defineBench({
  about:
    'How much writing holds a capture up: passes of shards with their writing against the same passes alone, by turns, of every token of the text. Above 5 % it ends with code 2.',
  examples: [
    'npm run bench -- capture-writing',
    'npm run bench -- capture-writing --model models/mine --documents corpus.jsonl --sites blocks.2.hook_resid_post',
  ],
  config: Config,
  engine: 'tensorflow',
  run: measure,
})

/** The share of the model's time that writing may take. */
const most = 0.05

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
    const passes = async () => {
      for (const plan of plans)
        await captureShard(model, work.sites, plan, { batchTokens: settings.batchTokens, onTokens() {} })
    }
    const writes = () => computeShards(session, work, plans, () => {})
    const timed = async (step: () => Promise<unknown>) => {
      const start = performance.now()
      await step()
      return (performance.now() - start) / 1000
    }
    await passes()
    await writes()
    const alone: number[] = []
    const written: number[] = []
    for (let round = 0; round < config.rounds; round++) {
      alone.push(await timed(passes))
      written.push(await timed(writes))
    }
    const [a, b] = [median(alone), median(written)]
    const held = b / a - 1
    tell.line(machine())
    tell.line(
      `${config.model}, ${config.sites.join(', ')}, ${plans.length} shards of ${config.dtype}, ${tokens} tokens`,
    )
    tell.line(`passes alone ${a.toFixed(2)} s, with writing ${b.toFixed(2)} s: ${(100 * held).toFixed(1)} % longer`)
    tell.result({ benchmark: 'capture-writing', tokens, shards: plans.length, seconds: a, withWriting: b, held })
    if (held > most)
      tell.fail(`Writing takes ${(100 * held).toFixed(1)} % of the model's time; it may take ${100 * most} %.`)
    model.dispose()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
