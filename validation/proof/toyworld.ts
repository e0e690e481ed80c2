/** The built-in model, with SAEs trained on it when the proof begins. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { capture } from '../../capture/capture.ts'
import { CaptureConfig } from '../../capture/config.ts'
import { readJson } from '../../core/files.ts'
import { silent } from '../../core/progress.ts'
import { Random } from '../../core/random.ts'
import { memoryMetrics, type StageContext } from '../../core/stage.ts'
import { DatasetConfig, openDataset } from '../../datasets/dataset.ts'
import type { TokenDataset } from '../../datasets/document.ts'
import { openCapture } from '../../datasets/shards/index.ts'
import { loadTokenizer } from '../../datasets/tokenizer/index.ts'
import { toyworldModelDirectory } from '../../datasets/toyworld/index.ts'
import { type Tensor, tf } from '../../engine/tf.ts'
import { buildModel } from '../../model/build.ts'
import { loadModel } from '../../model/load.ts'
import type { Model } from '../../model/model.ts'
import { loadSae } from '../../sae/formats/saelens.ts'
import type { Sae } from '../../sae/sae.ts'
import { TrainConfig } from '../../sae/training/config.ts'
import { trainSae } from '../../sae/training/train.ts'
import type { UntrainedModel, World } from './world.ts'

const site = 'blocks.2.hook_resid_post'
const otherSite = 'blocks.0.hook_resid_post'

/** Reads the built-in model and trains SAEs at two of its sites; what is written is removed by `dispose`. */
export async function toyworld(): Promise<World> {
  const root = await mkdtemp(join(tmpdir(), 'proof-'))
  const path = toyworldModelDirectory()
  const model = await loadModel(path)
  const { context, bosToken } = model.config
  const config = DatasetConfig.parse({ path: 'toyworld', documents: 3000, heldOut: { fraction: 0.5 } })
  const dataset = await openDataset(config, await loadTokenizer(path), { context, bosToken })
  const sae = await trained(join(root, 'site'), model, dataset, site)
  const other = await trained(join(root, 'other'), model, dataset, otherSite)
  return {
    name: 'toyworld',
    model,
    dataset,
    sae,
    otherSite: other,
    settings: { documents: 8, positions: 24, tokens: 12_000, maxTokens: 2000 },
    untrainedModel: seed => untrainedModel(join(root, `untrained-${seed}`), model, dataset, seed),
    async dispose() {
      for (const one of [sae, other, model]) one.dispose()
      await rm(root, { recursive: true, force: true })
    },
  }
}

function contextOf(directory: string): StageContext {
  const signal = new AbortController().signal
  return { directory, seed: 0, progress: silent, signal, metrics: memoryMetrics() }
}

async function trained(root: string, model: Model, dataset: TokenDataset, at: string): Promise<Sae> {
  const captured = contextOf(join(root, 'capture'))
  await capture(captured, { model, dataset, config: CaptureConfig.parse({ sites: [at], tokens: 30_000 }) })
  const rows = await openCapture(captured.directory)
  try {
    const config = TrainConfig.parse({ latents: 512, k: 12, tokens: 400_000, batchTokens: 2048 })
    await trainSae(contextOf(join(root, 'sae')), { capture: rows, config })
  } finally {
    await rows.close()
  }
  return loadSae(join(root, 'sae'))
}

/** The model with the values of every weight dealt anew within it, so that their sizes stay and nothing else does. */
async function untrainedModel(root: string, of: Model, dataset: TokenDataset, seed: number): Promise<UntrainedModel> {
  const weights: Record<string, Tensor> = {}
  for (const [name, weight] of Object.entries(of.weights)) {
    const values = (await weight.data<'float32'>()).slice()
    weights[name] = tf.tensor(new Random(seed, 'untrained', name).shuffle(values), weight.shape)
  }
  const hfConfig = await readJson(join(of.path, 'config.json'), 'model config')
  const model = buildModel(hfConfig, weights, { path: of.path, hash: `${of.hash}-untrained-${seed}` })
  const sae = await trained(root, model, dataset, site)
  return {
    model,
    sae,
    dispose() {
      sae.dispose()
      model.dispose()
    },
  }
}
