/** The whole way on the built-in model, whose language says what every token carries: capture, train, validate. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { capture } from '../capture/capture.ts'
import { CaptureConfig } from '../capture/config.ts'
import { silent } from '../core/progress.ts'
import { Random } from '../core/random.ts'
import { memoryMetrics } from '../core/stage.ts'
import { DatasetConfig, openDataset } from '../datasets/dataset.ts'
import type { TokenDataset } from '../datasets/document.ts'
import { openCapture } from '../datasets/shards/index.ts'
import { loadTokenizer } from '../datasets/tokenizer/index.ts'
import { toyworldModelDirectory } from '../datasets/toyworld/index.ts'
import { startEngine } from '../engine/engine.ts'
import { type Tensor2D, tf } from '../engine/tf.ts'
import { loadModel } from '../model/load.ts'
import type { Model } from '../model/model.ts'
import { loadSae } from '../sae/formats/saelens.ts'
import type { Sae } from '../sae/sae.ts'
import { TrainConfig } from '../sae/training/config.ts'
import { trainSae } from '../sae/training/train.ts'
import { ValidateConfig } from './config.ts'
import { readEvidence } from './evidence.ts'
import { verifyEvidence } from './recompute.ts'
import { validate } from './validate.ts'

const site = 'blocks.2.hook_resid_post'
const isLong = process.env.PIPELINE_LONG !== undefined
/** Three claims can be told from as many of each kind; the six of test:long are few enough for 99. */
const controls = isLong ? 99 : 59
let root: string
let model: Model
let dataset: TokenDataset
let sae: Sae

const contextOf = (directory: string) => ({
  directory,
  seed: 0,
  progress: silent,
  signal: new AbortController().signal,
  metrics: memoryMetrics(),
})

beforeAll(async () => {
  await startEngine()
  root = await mkdtemp(join(tmpdir(), 'toyworld-'))
  const path = toyworldModelDirectory()
  model = await loadModel(path)
  const { context, bosToken } = model.config
  const config = DatasetConfig.parse({ path: 'toyworld', documents: isLong ? 2000 : 1200, heldOut: { fraction: 0.4 } })
  dataset = await openDataset(config, await loadTokenizer(path), { context, bosToken })
  await capture(contextOf(join(root, 'capture')), {
    model,
    dataset,
    config: CaptureConfig.parse({ sites: [site], tokens: isLong ? 30_000 : 20_000 }),
  })
  const rows = await openCapture(join(root, 'capture'))
  await trainSae(contextOf(join(root, 'sae')), {
    capture: rows,
    config: TrainConfig.parse({ latents: 512, k: 12, tokens: isLong ? 400_000 : 250_000, batchTokens: 2048 }),
  })
  await rows.close()
  sae = await loadSae(join(root, 'sae'))
}, 300_000)

afterAll(async () => {
  sae?.dispose()
  model?.dispose()
  await rm(root, { recursive: true, force: true })
})

async function run(name: string, parts: { sae?: Sae; dataset?: TokenDataset }, settings: object = {}) {
  const directory = join(root, name)
  const config = ValidateConfig.parse({
    latents: isLong ? 6 : 3,
    documents: 8,
    positions: 24,
    doses: [1],
    // Few claims, so that so few controls can show what there is.
    controls: { tied: controls, random: controls, foreign: controls },
    shuffles: 99,
    tokens: 12_000,
    maxTokens: 3000,
    bootstrap: 400,
    studies: [],
    ...settings,
  })
  const summary = await validate(contextOf(directory), { model, sae, dataset, ...parts, config })
  expect(await verifyEvidence(directory)).toEqual([])
  return { summary, features: (await readEvidence(join(directory, 'evidence.json'))).features }
}

/** The same encoder with random unit rows for a decoder. */
function withRandomDecoder(of: Sae, seed: number): Sae {
  const values = new Random('random decoder', seed).normals(of.latents * of.width)
  const decoder = () =>
    tf.tidy(() => {
      const rows = tf.tensor2d(values, [of.latents, of.width])
      return rows.div(rows.norm('euclidean', 1, true)) as Tensor2D
    })
  return { ...of, decoder }
}

/** Every document's labels given to another document. */
function withShuffledLabels(of: TokenDataset): TokenDataset {
  const order = new Random('shuffled labels').shuffle(of.documents.map((_, i) => i))
  const documents = of.documents.map(({ strata: _, tokenConcepts: __, concepts: ___, ...document }, i) => {
    const { strata, tokenConcepts } = of.documents.at(order[i]!)!
    return { ...document, strata, ...(tokenConcepts ? { tokenConcepts } : {}) }
  })
  return { ...of, documents }
}

test('concepts of the language are found in a trained SAE: they are told apart, and cause what they should', async () => {
  const { summary, features } = await run('trained', {})
  expect(summary.fvu).toBeLessThan(0.4)
  expect(summary.ceRecoveredMean).toBeGreaterThan(0.9)
  const found = features.filter(({ verdict, claim }) => verdict === 'pass' && claim.concept !== null)
  expect(found.length).toBeGreaterThanOrEqual(isLong ? 2 : 1)
  expect(features.every(({ sham }) => sham === 0)).toBe(true)
  for (const { ablate, steer, selectivity } of found) {
    expect(ablate!.metrics.target.effect.high).toBeLessThan(0)
    expect(steer!.metrics.target.effect.mean).toBeGreaterThan(0)
    expect(selectivity!.low).toBeGreaterThan(0.75)
  }
}, 300_000)

// The same nulls on a hand-made model are in validate.test.ts.
test.runIf(process.env.PIPELINE_LONG)(
  'random decoders behind the same encoder are not found, however well their latents tell concepts',
  async () => {
    const { summary, features } = await run('random', { sae: withRandomDecoder(sae, 1) }, { latents: 4 })
    expect(summary.passed).toBe(0)
    expect(features.some(({ selectivity }) => selectivity?.verdict === 'pass')).toBe(true)
  },
  300_000,
)

test.runIf(process.env.PIPELINE_LONG)(
  'shuffled labels are not found',
  async () => {
    const { summary } = await run(
      'shuffled',
      { dataset: withShuffledLabels(dataset) },
      { latents: 4, claims: 'concept', minimumSeparation: 0 },
    )
    expect(summary.passed).toBe(0)
  },
  300_000,
)
