import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silent } from '../../core/progress.ts'
import { memoryMetrics } from '../../core/stage.ts'
import { startEngine } from '../../engine/engine.ts'
import { tf } from '../../engine/tf.ts'
import { TrainConfig, type TrainInput } from './config.ts'
import { warningOf } from './diverged.ts'
import { plantedCapture } from './planted.fixture.ts'
import { trainSae, trainSaes } from './train.ts'
import type { TrainSummary } from './training.ts'

let folder: string
beforeAll(async () => {
  await startEngine()
  folder = await mkdtemp(join(tmpdir(), 'sae-astray-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const capture = plantedCapture({ rows: 1024, width: 8, features: 16, active: 2, seed: 1 })
const parsed = (input: TrainInput) =>
  TrainConfig.parse({ latents: 24, k: 2, batchTokens: 128, epochs: 3, ...input }) as TrainConfig

let count = 0
function contextIn(notes: string[] = []) {
  const progress = { ...silent, note: (line: string) => notes.push(line) }
  const directory = join(folder, String(count++))
  return { directory, seed: 3, progress, signal: new AbortController().signal, metrics: memoryMetrics() }
}

const train = async (input: TrainInput, notes?: string[]) => {
  const context = contextIn(notes)
  return { context, summary: await trainSae(context, { capture, config: parsed(input) }) }
}

describe('a training that goes astray', () => {
  test.each([
    ['topk', true],
    ['topk', false],
    ['batchtopk', true],
    ['jumprelu', true],
    ['gated', true],
    ['standard', false],
  ])('stops with a sentence and leaves no SAE: %s, fused %s', async (architecture, fused) => {
    const context = contextIn()
    const { k: _, ...rest } = parsed({ architecture: architecture as 'topk', fused, learningRate: 1e38 }) as TrainInput
    const config = (/topk/.test(architecture) ? { ...rest, k: 2 } : rest) as TrainConfig
    const before = tf.memory().numTensors
    const error = await trainSae(context, { capture, config }).catch(error => error)
    expect(error).toMatchObject({ name: 'DivergedError', exitCode: 1 })
    expect(error.message).toMatch(/^The training on site went astray: /)
    expect(error.message).toMatch(/latents \d+/)
    expect(error.fix).toMatch(/^Lower learningRate, which is 1e\+38; left out, it is 0\.0\d+/)
    expect(await readdir(context.directory).catch(() => [])).not.toContain('cfg.json')
    expect(tf.memory().numTensors).toBe(before)
  })

  test('stops where the error is absurd though every number is finite', async () => {
    const config = { learningRate: 1e3, logEvery: 1, decoderNorm: 'free', projectGradient: false } as const
    await expect(train(config)).rejects.toThrow(/in step \d+ of 24 the error is .* times the variance of the rows/)
  })

  test('stops before a checkpoint is written, whenever a line is due', async () => {
    const context = contextIn()
    const config = parsed({ learningRate: 1e38, logEvery: 1000, checkpointEvery: 2 })
    await expect(trainSae(context, { capture, config })).rejects.toThrow('in step 2 of 24')
    expect(await readdir(join(context.directory, 'checkpoints')).catch(() => [])).toEqual([])
  })

  test('among several lets the others end, and is named', async () => {
    const finished: string[] = []
    const notes: string[] = []
    const job = (label: string, input: TrainInput) => ({
      ...{ label, context: contextIn(notes), config: parsed(input) },
      finished: async ({ fvu }: TrainSummary) => void finished.push(`${label} ${fvu! < 1}`),
    })
    const jobs = [
      job('wild', { learningRate: 1e38 }),
      job('calm', {}),
      job('wild later', { learningRate: 1e38, batchTokens: 64 }),
    ]
    const error = await trainSaes(jobs, capture).catch(error => error)
    expect(error.message).toMatch(/^2 of 3 SAEs went astray and are not kept\. SAE wild: .* SAE wild later: /)
    expect(error.exitCode).toBe(1)
    expect(finished).toEqual(['calm true'])
    expect(notes.join()).toContain('The others go on.')
  })
})

describe('an SAE that ends no better than the mean of the rows', () => {
  test('is kept with a warning', async () => {
    const notes: string[] = []
    const { summary } = await train({ learningRate: 1e3 }, notes)
    expect(summary.fvu).toBeGreaterThanOrEqual(1)
    expect(summary.warning).toMatch(/^The SAE is no better than the mean of the rows: it leaves /)
    expect(notes).toContain(summary.warning)
  })

  test('begins at an FVU of 1', () => {
    expect(warningOf({ fvu: 0.999, l0: 2 }, {})).toBeUndefined()
    expect(warningOf({ fvu: 1, l0: 2 }, {})).toContain('1.00 of their variance')
  })

  test('is not every SAE', async () => expect((await train({})).summary).not.toHaveProperty('warning'))
})

describe('an SAE whose threshold is not that of its batches', () => {
  const batchtopk = { architecture: 'batchtopk', k: 2, latents: 24 } as const

  test('is kept with a warning where it was trained for a few steps', async () => {
    const notes: string[] = []
    // Begins at zero, where every positive latent fires.
    const { summary } = await train({ ...batchtopk, epochs: 1, thresholdStart: 'zero', thresholdRate: 0.001 }, notes)
    expect(summary.l0).toBeGreaterThan(4)
    expect(summary.warning).toMatch(/^The SAE lets [\d.]+ latents a row fire, though its batches kept 2: /)
    expect(notes).toContain(summary.warning)
  })

  test('has an L0 below half of k or above twice of it, and an architecture with such a threshold', () => {
    const own = { k: 32, thresholdRate: 0.05 }
    for (const l0 of [16, 32, 64]) expect(warningOf({ fvu: 0.1, l0 }, own)).toBeUndefined()
    for (const l0 of [0, 15.9, 64.1]) expect(warningOf({ fvu: 0.1, l0 }, own)).toContain('its batches kept 32')
    expect(warningOf({ fvu: 0.1, l0: 3 }, { k: 32 })).toBeUndefined()
    expect(warningOf({ fvu: 0.1, l0: 3 }, { ...own, activation: 'relu' })).toBeUndefined()
  })

  test('is not every SAE with one', async () =>
    expect((await train({ ...batchtopk, epochs: 12 })).summary).not.toHaveProperty('warning'))
})
