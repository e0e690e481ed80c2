/** Capture against real text and a real model, where this machine has them. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseConfig } from '../core/config.ts'
import { silent } from '../core/progress.ts'
import { memoryMetrics } from '../core/stage.ts'
import { DatasetConfig, openDataset } from '../datasets/dataset.ts'
import { openCapture } from '../datasets/shards/index.ts'
import { loadTokenizer } from '../datasets/tokenizer/index.ts'
import { startEngine } from '../engine/engine.ts'
import { type Tensor2D, tf } from '../engine/tf.ts'
import { loadModel } from '../model/load.ts'
import { sharedData } from '../tests/shared-data.ts'
import { capture } from './capture.ts'
import { CaptureConfig } from './config.ts'

const modelPath = sharedData('models', 'stories260K')
const stories = sharedData('corpora', 'tinystories', 'tinystories_2mb.txt')

describe.skipIf(!modelPath || !stories)('stories260K on TinyStories', () => {
  let folder: string
  beforeAll(async () => {
    await startEngine()
    folder = await mkdtemp(join(tmpdir(), 'capture-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test('sampled rows of two sites are what the model gives for their windows alone', async () => {
    const model = await loadModel(modelPath!)
    const before = tf.memory().numTensors
    const settings = {
      path: stories,
      separator: '<|endoftext|>',
      packing: 'concatenate',
      context: 128,
      documents: 60,
      heldOut: { by: 'tail', fraction: 0.05 },
    }
    const dataset = await openDataset(
      parseConfig(DatasetConfig, settings, 'dataset'),
      await loadTokenizer(modelPath!),
      model.config,
    )
    const sites = ['blocks.2.hook_resid_post', 'blocks.0.hook_mlp_out']
    const config = parseConfig(
      CaptureConfig,
      { sites, tokens: 400, strata: ['position'], allocation: 'equal', shardRows: 150, batchTokens: 1000 },
      'capture',
    )
    const context = { directory: folder, seed: 3, progress: silent, signal: new AbortController().signal }
    await capture({ ...context, metrics: memoryMetrics() }, { model, dataset, config })
    expect(tf.memory().numTensors).toBe(before)

    const opened = await openCapture(folder)
    const columns = await opened.columns()
    for (const site of sites) {
      const stored = await opened.readRange(site, 0, opened.rows)
      for (let row = 0; row < opened.rows; row += 37) {
        const window = dataset.windows.at(columns.document[row]!)!
        expect(window.split).toBe('train')
        const expected = tf.tidy(() => {
          const tokens = tf.tensor2d(window.tokens, [1, window.tokens.length], 'int32') as Tensor2D
          return model.run(tokens, { until: site }).slice([0, columns.position[row]!, 0], [1, 1, -1]).dataSync()
        })
        for (let i = 0; i < 64; i++) expect(stored[row * 64 + i]).toBeCloseTo(expected[i]!, 4)
      }
    }
    opened.close()
    model.dispose()
  })
})

describe.skipIf(!modelPath || !stories)('the reference protocol', () => {
  test('gives the known number of distinct rows, about 0.98 million', { timeout: 60_000 }, async () => {
    const settings = {
      path: stories,
      separator: '<|endoftext|>',
      packing: 'concatenate',
      context: 256,
      heldOut: { by: 'tail', fraction: 0.05 },
    }
    const dataset = await openDataset(
      parseConfig(DatasetConfig, settings, 'dataset'),
      await loadTokenizer(modelPath!),
      { context: 512, bosToken: 1 },
    )
    const train = dataset.windows.filter(({ split }) => split === 'train')
    expect(dataset.windows.some(({ tokens }) => tokens.length !== 256)).toBe(false)
    expect(dataset.windows.length - train.length).toBe(Math.round(dataset.windows.length * 0.05))
    expect(Math.round((train.length * 255) / 1e4) / 100).toBe(0.98)
  })
})
