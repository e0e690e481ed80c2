/**
 * The protocol by which SAEs are compared at equal tokens: the model `stories260K` at `blocks.2.hook_resid_post`.
 *
 * Stories are joined and cut into windows of 256 tokens, the last 5 % held out; position 0 of a window is neither trained
 * on nor replaced. Held-out FVU, and the cross-entropy of tokens 2… from positions 1… as the share recovered against mean
 * ablation. Needs `../shared/data`.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { capture } from '../capture/capture.ts'
import { CaptureConfig } from '../capture/config.ts'
import { silent } from '../core/progress.ts'
import { memoryMetrics, type StageContext } from '../core/stage.ts'
import { DatasetConfig, openDataset } from '../datasets/dataset.ts'
import type { TokenWindow } from '../datasets/document.ts'
import { type Capture, openCapture } from '../datasets/shards/index.ts'
import { loadTokenizer } from '../datasets/tokenizer/index.ts'
import { type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import { loadModel } from '../model/load.ts'
import { tokenLoss } from '../model/loss.ts'
import type { Model } from '../model/model.ts'
import { QualityMeter } from '../sae/measure/quality.ts'
import type { Sae } from '../sae/sae.ts'
import { sharedData } from '../tests/shared-data.ts'

const site = 'blocks.2.hook_resid_post'

export interface Score {
  /** Σ‖x − x̂‖² / Σ‖x − x̄‖² on held-out windows. */
  readonly fvu: number
  /** (mean-ablated − spliced) / (mean-ablated − clean) cross-entropy on held-out windows. */
  readonly ceRecovered: number
  readonly l0: number
  /** Share of latents that fire on no held-out row. */
  readonly dead: number
}

export interface Protocol {
  /** The training rows: 0.98M of width 64. */
  readonly rows: Capture
  readonly cleanLoss: number
  readonly meanAblatedLoss: number
  score(sae: Sae): Score
  close(): void
}

/** Captures the rows into `folder` unless they are there, and measures the clean and the mean-ablated model. */
export async function openProtocol(folder: string): Promise<Protocol | undefined> {
  const path = sharedData('models', 'stories260K')
  const text = sharedData('corpora', 'tinystories', 'tinystories_2mb.txt')
  if (!path || !text) return undefined
  const model = await loadModel(path)
  const dataset = await openDataset(
    DatasetConfig.parse({
      path: text,
      separator: '<|endoftext|>',
      packing: 'concatenate',
      context: 256,
      heldOut: { fraction: 0.05, by: 'tail' },
    }),
    await loadTokenizer(path),
    { context: model.config.context, bosToken: model.config.bosToken },
  )
  const directory = join(folder, 'capture')
  if (!existsSync(join(directory, 'capture.json')))
    await capture(benchContext(directory), { model, dataset, config: CaptureConfig.parse({ sites: [site] }) })
  const rows = await openCapture(directory)
  const mean = tf.tensor1d(rows.manifest.sites[0]!.statistics.mean)
  const held = dataset.windows.filter(({ split }) => split === 'discovery' || split === 'validation')
  const cleanLoss = crossEntropy(model, held, value => value)
  const meanAblatedLoss = crossEntropy(model, held, value => tf.onesLike(value).mul(mean))
  mean.dispose()
  return {
    rows,
    cleanLoss,
    meanAblatedLoss,
    score(sae) {
      const meter = new QualityMeter(sae)
      eachBatch(held, tokens => {
        const x = tf.tidy(() => inner(model.run(tokens, { until: site }) as Tensor3D))
        meter.measure(sae, x)
        x.dispose()
      })
      const { fvu, l0, dead } = meter.figures()
      const spliced = crossEntropy(model, held, value => sae.reconstruct(value))
      if (fvu === null || l0 === null || dead === null) throw new Error('The held-out rows do not vary.')
      return {
        fvu,
        l0,
        dead: dead / sae.latents,
        ceRecovered: (meanAblatedLoss - spliced) / (meanAblatedLoss - cleanLoss),
      }
    },
    close() {
      rows.close()
      model.dispose()
    },
  }
}

/** A stage's surroundings without progress or files of metrics. */
export function benchContext(directory: string): StageContext {
  return { directory, seed: 0, progress: silent, signal: new AbortController().signal, metrics: memoryMetrics() }
}

function eachBatch(windows: readonly TokenWindow[], use: (tokens: Tensor2D) => void): void {
  for (let i = 0; i < windows.length; i += 16) {
    const batch = windows.slice(i, i + 16)
    const values = Int32Array.from(batch.flatMap(window => [...window.tokens]))
    const tokens = tf.tensor2d(values, [batch.length, batch[0]!.tokens.length], 'int32')
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
function crossEntropy(model: Model, windows: readonly TokenWindow[], edit: (rows: Tensor2D) => Tensor2D): number {
  let sum = 0
  let count = 0
  eachBatch(windows, tokens => {
    const [total, size] = tf.tidy(() => {
      const hook = (raw: unknown) => {
        const value = raw as Tensor3D
        const [batch, length, width] = value.shape
        const edited = edit(inner(value)).reshape<Tensor3D>([batch, length - 1, width])
        return tf.concat([value.slice([0, 0, 0], [batch, 1, width]), edited], 1)
      }
      const logits = model.run(tokens, { hooks: { [site]: hook as never } }) as Tensor3D
      const losses = tokenLoss(logits, tokens)
      const from1 = losses.slice([0, 1], [losses.shape[0], losses.shape[1] - 1])
      return [from1.sum().dataSync()[0]!, from1.size]
    }) as unknown as [number, number]
    sum += total
    count += size
  })
  return sum / count
}
