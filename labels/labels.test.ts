import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silent } from '../core/progress.ts'
import { memoryMetrics } from '../core/stage.ts'
import { readTable } from '../datasets/tables.ts'
import { startEngine } from '../engine/engine.ts'
import { type Tensor2D, tf } from '../engine/tf.ts'
import { encodeWindows } from '../latents/activations.ts'
import { oneHotDataset, oneHotModel, oneHotSae } from '../latents/one-hot.fixture.ts'
import { LabelConfig } from './config.ts'
import { examplesOf } from './examples.ts'
import { exportLabels, readFeatures } from './export.ts'
import { label } from './label.ts'
import { logitEffects } from './logits.ts'
import { bestRule, ruleFacts, scoreRule } from './rules.ts'

const rows = [
  [0, 1, 2, 3],
  [0, 3, 1],
  [0, 2, 2, 4, 1, 3],
  [0, 4],
]
const dataset = oneHotDataset(rows)
const collect = (batchTokens = 100) =>
  encodeWindows(oneHotModel(), oneHotSae(), dataset.windows, { batchTokens, signal: new AbortController().signal })
const folders: string[] = []

beforeAll(async () => {
  await startEngine()
})
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true })
})

describe('rules', () => {
  const facts = async () => ruleFacts(await collect(), dataset, dataset.concepts)

  test('find the token a latent detects', async () => {
    expect(bestRule(await facts(), 3)).toEqual({
      rule: { kind: 'token', values: [3] },
      score: { precision: 1, recall: 1, f1: 1, baseRate: 3 / 11 },
    })
  })

  test('score precision by activation and recall by tokens', async () => {
    // Latent 1 fires on token 1 (3 times); 'small' holds for tokens 1 and 2 (6 times).
    expect(scoreRule(await facts(), 1, { kind: 'concept', values: ['small'] })).toEqual({
      precision: 1,
      recall: 0.5,
      f1: 2 / 3,
      baseRate: 6 / 11,
    })
  })

  test('say nothing of a latent that never fires', async () => expect(bestRule(await facts(), 5)).toBeUndefined())
})

test('examples show the tokens around the strongest one with every activation', async () => {
  const [first, second] = examplesOf(await collect(), 2, { top: 5, bands: 0, perBand: 0, context: 1 }, 0)
  expect(first).toMatchObject({ group: 'top', rank: 0, window: 0, position: 2, start: 1, activation: 1 })
  expect([...first!.activations]).toEqual([0, 1, 0])
  expect(second).toMatchObject({ window: 2, position: 1, start: 0 })
  expect([...second!.activations]).toEqual([0, 1, 1])
})

test('logit effects are the decoder times the unembedding, less the mean over the vocabulary', () => {
  const before = tf.memory().numTensors
  const decoder = tf.tensor2d([[2, 0]]) as Tensor2D
  const unembedding = tf.tensor2d([
    [1, 0, -4],
    [9, 9, 9],
  ]) as Tensor2D
  const [effects] = logitEffects(decoder, unembedding, 3, 2)
  tf.dispose([decoder, unembedding])
  expect(effects!.promoted).toEqual([
    { token: 0, effect: 4 },
    { token: 1, effect: 2 },
  ])
  expect(effects!.suppressed).toEqual([
    { token: 2, effect: -6 },
    { token: 1, effect: 2 },
  ])
  expect(tf.memory().numTensors).toBe(before)
})

describe('the stage', () => {
  const tokenizer = { vocabulary: 6, token: (id: number) => `t${id}` }
  const evidence = new Map([
    [
      1,
      {
        verdict: 'pass',
        metric: 'loss',
        effect: 0.5,
        effectLow: 0.4,
        effectHigh: 0.6,
        controlRelativeEffect: 0.3,
        p: 0.01,
        q: 0.02,
      },
    ],
  ])

  async function run(stability?: Float32Array) {
    const directory = await mkdtemp(join(tmpdir(), 'labels-'))
    folders.push(directory)
    const summary = await label(
      { directory, seed: 1, progress: silent, signal: new AbortController().signal, metrics: memoryMetrics() },
      {
        model: oneHotModel(),
        sae: oneHotSae(),
        dataset,
        tokenizer,
        evidence,
        stability,
        config: LabelConfig.parse({ sae: 'fake', logits: 2 }),
      },
    )
    return { directory, summary }
  }

  test('writes features and examples that read back, joined with the evidence', async () => {
    const before = tf.memory().numTensors
    const { directory, summary } = await run()
    expect(tf.memory().numTensors).toBe(before)
    expect(summary).toMatchObject({ latents: 6, alive: 3, validated: 1 })
    const features = await readFeatures(directory)
    expect(features[3]).toMatchObject({ latent: 3, label: '“t3”', labelKind: 'token', labelF1: 1 })
    expect(features[1]!.evidence).toEqual(evidence.get(1))
    const table = await readTable(join(directory, 'features.parquet'))
    expect(table.label).toEqual(features.map(feature => feature.label))
    const examples = await readTable(join(directory, 'examples.parquet'))
    expect(examples.latent).toEqual([...(examples.latent as number[])].sort((a, b) => a - b))
  })

  test('joins the stability of each latent where it is given, and has no such column where it is not', async () => {
    const cosines = Float32Array.of(0.5, 0.25, 1, 0, 0.75, 0.125)
    const { directory } = await run(cosines)
    const { stability } = await readTable(join(directory, 'features.parquet'), { columns: ['stability'] })
    expect(stability).toEqual([...cosines])
    expect((await readFeatures(directory)).map(feature => feature.stability)).toEqual([...cosines])
    const plain = await readTable(join((await run()).directory, 'features.parquet'))
    expect(plain).not.toHaveProperty('stability')
  })

  test('writes the same bytes again', async () => {
    const [a, b] = [await run(), await run()]
    for (const name of ['features.parquet', 'examples.parquet', 'features.jsonl'])
      expect(await readFile(join(a.directory, name))).toEqual(await readFile(join(b.directory, name)))
  })

  test('exports the features with a verdict as CSV', async () => {
    const { directory } = await run()
    const path = join(directory, 'out.csv')
    expect(await exportLabels(directory, path, 'csv', { verdicts: ['pass'] })).toBe(1)
    const [header, line] = (await readFile(path, 'utf8')).split('\r\n')
    expect(header).toMatch(/^latent,label,/)
    expect(line).toMatch(/^1,“t1”,token,/)
  })

  test('refuses a label file of another schema', async () => {
    const { directory } = await run()
    await writeFile(join(directory, 'features.jsonl'), '{"schema":99,"latent":0}\n')
    await expect(readFeatures(directory)).rejects.toThrow('line 1 has schema 99, but this version reads 1.')
  })
})
