/**
 * SAE quality at equal tokens (`npm run bench -- sae-quality`): held-out FVU and the cross-entropy recovered against mean
 * ablation, on the model `stories260K` at `blocks.2.hook_resid_post` with 512 latents.
 *
 * Stories are joined and cut into windows of 256 tokens, the last 5 % held out; position 0 of a window is neither trained
 * on nor replaced; four shuffled epochs over 0.98M rows, batches of 4096. Needs `../shared/data`.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { capture } from '../capture/capture.ts'
import { CaptureConfig } from '../capture/config.ts'
import { silent } from '../core/progress.ts'
import { memoryMetrics, type StageContext } from '../core/stage.ts'
import { DatasetConfig, openDataset } from '../datasets/dataset.ts'
import type { TokenWindow } from '../datasets/document.ts'
import { openCapture } from '../datasets/shards/index.ts'
import { loadTokenizer } from '../datasets/tokenizer.ts'
import { startEngine } from '../engine/engine.ts'
import { type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import { loadModel } from '../model/load.ts'
import { tokenLoss } from '../model/loss.ts'
import type { Model } from '../model/model.ts'
import { TrainConfig, type TrainInput } from '../sae/config.ts'
import { loadSae } from '../sae/formats/saelens.ts'
import { QualityMeter } from '../sae/quality.ts'
import { trainSae } from '../sae/train.ts'
import { sharedData } from '../tests/shared-data.ts'
import type { BenchOptions } from './main.ts'

const site = 'blocks.2.hook_resid_post'

/** What SAELens reaches on the same rows (BatchTopK, TopK at learning rate 1e-3), and sparsify and dictionary_learning. */
const peers =
  'peers at k 16: SAELens BatchTopK .0710 / .9664, TopK .0722 / .9656, sparsify .0850 / .9572, dictionary_learning .0901 / .9545'

/** Settings by which each architecture is brought to about `k` latents a row. */
const settings: Record<string, (k: number) => TrainInput> = {
  topk: k => ({ architecture: 'topk', k }),
  batchtopk: k => ({ architecture: 'batchtopk', k }),
  matryoshka: k => ({ architecture: 'matryoshka', k }),
  jumprelu: k => ({ architecture: 'jumprelu', targetL0: k }),
  gated: k => ({ architecture: 'gated', l1Coefficient: 6.4 / k }),
  standard: k => ({ architecture: 'standard', l1Coefficient: 4 / k }),
}

export async function saeQualityBench({ architectures, k, epochs }: BenchOptions): Promise<void> {
  const path = sharedData('models', 'stories260K')
  const text = sharedData('corpora', 'tinystories', 'tinystories_2mb.txt')
  if (!path || !text) return
  await startEngine()
  const folder = await mkdtemp(join(tmpdir(), 'sae-quality-'))
  try {
    const model = await loadModel(path)
    const tokenizer = await loadTokenizer(path)
    const dataset = await openDataset(
      DatasetConfig.parse({
        path: text,
        separator: '<|endoftext|>',
        packing: 'concatenate',
        context: 256,
        heldOut: { fraction: 0.05, by: 'tail' },
      }),
      tokenizer,
      { context: model.config.context, bosToken: model.config.bosToken },
    )
    await capture(contextOf(join(folder, 'capture')), {
      model,
      dataset,
      config: CaptureConfig.parse({ sites: [site] }),
    })
    const rows = await openCapture(join(folder, 'capture'))
    const mean = rows.manifest.sites[0]!.statistics.mean
    const held = dataset.windows.filter(window => window.split === 'discovery' || window.split === 'validation')
    const clean = crossEntropy(model, held, value => value)
    const ablated = crossEntropy(model, held, value => tf.onesLike(value).mul(tf.tensor1d(mean)))
    console.log(`clean CE ${clean.toFixed(4)}, mean-ablated ${ablated.toFixed(4)}; ${peers}`)
    console.log('architecture    k   FVU      CE recovered   L0     dead %  seconds')
    for (const architecture of architectures)
      for (const each of k) {
        const directory = join(folder, `${architecture}-${each}`)
        const started = performance.now()
        const config = TrainConfig.parse({ latents: 512, epochs, ...settings[architecture]!(each) }) as TrainConfig
        await trainSae(contextOf(directory), { capture: rows, config })
        const seconds = (performance.now() - started) / 1000
        const sae = await loadSae(directory)
        const meter = new QualityMeter(sae)
        eachBatch(held, tokens => {
          const x = tf.tidy(() => inner(model.run(tokens, { until: site }) as Tensor3D))
          meter.add(x)
          x.dispose()
        })
        const { fvu, l0, dead_share } = meter.result()
        const spliced = crossEntropy(model, held, value => sae.reconstruct(value))
        const recovered = (ablated - spliced) / (ablated - clean)
        console.log(
          `${architecture.padEnd(12)} ${String(each).padStart(4)}   ${fvu.toFixed(5)}  ${recovered.toFixed(4)}` +
            `         ${l0.toFixed(1).padStart(5)}  ${(100 * dead_share).toFixed(1).padStart(5)}   ${seconds.toFixed(0)}`,
        )
        sae.dispose()
      }
    rows.close()
    model.dispose()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function contextOf(directory: string): StageContext {
  return { directory, seed: 0, progress: silent, signal: new AbortController().signal, metrics: memoryMetrics() }
}

function eachBatch(windows: readonly TokenWindow[], use: (tokens: Tensor2D) => void): void {
  for (let i = 0; i < windows.length; i += 16) {
    const batch = windows.slice(i, i + 16)
    const length = batch[0]!.tokens.length
    const tokens = tf.tensor2d(
      Int32Array.from(batch.flatMap(window => [...window.tokens])),
      [batch.length, length],
      'int32',
    )
    use(tokens)
    tokens.dispose()
  }
}

/** The rows of every position but the first. */
function inner(value: Tensor3D): Tensor2D {
  const [batch, length, width] = value.shape
  return value.slice([0, 1, 0], [batch, length - 1, width]).reshape([batch * (length - 1), width])
}

/** Mean loss of tokens 2… from positions 1…, with every position but the first put through `edit`. */
function crossEntropy(
  model: Model,
  windows: readonly TokenWindow[],
  edit: (rows: Tensor2D) => Tensor2D | ReturnType<Tensor2D['mul']>,
): number {
  let sum = 0
  let count = 0
  eachBatch(windows, tokens => {
    const [total, each] = tf.tidy(() => {
      const hook = (raw: unknown) => {
        const value = raw as Tensor3D
        const [batch, length, width] = value.shape
        const edited = (edit(inner(value)) as Tensor2D).reshape<Tensor3D>([batch, length - 1, width])
        return tf.concat([value.slice([0, 0, 0], [batch, 1, width]), edited], 1)
      }
      const logits = model.run(tokens, { hooks: { [site]: hook as never } }) as Tensor3D
      const losses = tokenLoss(logits, tokens)
      const from1 = losses.slice([0, 1], [losses.shape[0], losses.shape[1] - 1])
      return [from1.sum().dataSync()[0]!, from1.size]
    }) as unknown as [number, number]
    sum += total
    count += each
  })
  return sum / count
}
