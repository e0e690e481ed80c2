/** Activations in another unit give the same SAE in that unit, under every architecture's defaults. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silent } from '../../core/progress.ts'
import { memoryMetrics } from '../../core/stage.ts'
import { startEngine } from '../../engine/engine.ts'
import { hostValues } from '../../engine/host.ts'
import { tf } from '../../engine/tf.ts'
import { architectureNames, architectureOf } from '../architectures/index.ts'
import { loadSae } from '../formats/saelens.ts'
import { TrainConfig, type TrainInput } from './config.ts'
import { geometricMedian } from './decoder-bias.ts'
import { plantedCapture } from './planted.fixture.ts'
import { rowScale } from './row-scale.ts'
import type { ActivationSource } from './rows.ts'
import { trainSae } from './train.ts'

let folder: string
beforeAll(async () => {
  await startEngine()
  folder = await mkdtemp(join(tmpdir(), 'sae-scale-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const capture = plantedCapture({ rows: 1024, width: 8, features: 16, active: 2, seed: 1, sites: ['a', 'b'] })

/** The capture with each site in another unit. */
const inUnits = (units: Readonly<Record<string, number>>): ActivationSource => ({
  ...capture,
  readRange: async (site, start, count) =>
    (await capture.readRange(site, start, count)).map(value => value * (units[site] ?? 1)),
})
const times = (unit: number) => inUnits({ a: unit, b: unit })

const sitesOf = {
  site: { site: 'a' },
  target: { site: 'a', target: 'b' },
  sites: { sites: ['a', 'b'] },
  layers: { sites: ['a', 'b'], targets: ['b', 'a'] },
}
const sparsity: Record<string, unknown> = { jumprelu: { targetL0: 2 }, standard: {}, 'p-anneal': {}, gated: {} }

let count = 0
async function train(architecture: string, source: ActivationSource, input: TrainInput = {}) {
  const directory = join(folder, String(count++))
  const config = TrainConfig.parse({
    ...{ architecture, latents: 32, batchTokens: 128, epochs: 6 },
    ...(sparsity[architecture] ?? { k: 2 }),
    ...sitesOf[architectureOf(architecture).reads],
    ...input,
  }) as TrainConfig
  const context = {
    directory,
    seed: 3,
    progress: silent,
    signal: new AbortController().signal,
    metrics: memoryMetrics(),
  }
  return { directory, summary: await trainSae(context, { capture: source, config }) }
}

/** Weights of a trained SAE by their saved names. */
async function weightsOf(directory: string) {
  const sae = await loadSae(directory)
  const values = Object.fromEntries(Object.entries(sae.params).map(([name, weight]) => [name, weight.dataSync()]))
  sae.dispose()
  return values
}

describe.each(architectureNames)('%s', architecture => {
  // A power of two changes no digit, so that all of training is the same to the last bit.
  test('learns the same from activations that are 16,384 times smaller, biases and thresholds in their unit', async () => {
    // Digits part in the first steps or never.
    const few = { epochs: process.env.PIPELINE_LONG ? 6 : 1 }
    const usual = await train(architecture, capture, few)
    const small = await train(architecture, times(2 ** -14), few)
    expect(small.summary.l0).toBe(usual.summary.l0)
    expect(small.summary.dead).toBe(usual.summary.dead)
    expect(small.summary.fvu).toBeCloseTo(usual.summary.fvu!, 6)
    const [theirs, ours] = [await weightsOf(usual.directory), await weightsOf(small.directory)]
    for (const [name, values] of Object.entries(theirs)) {
      const unit = /^(b_|threshold)/.test(name) ? 2 ** -14 : 1
      expect(ours[name], name).toEqual(values.map(value => value * unit))
    }
  })
})

describe.each(['topk', 'jumprelu', 'standard'])('%s', architecture => {
  test('explains as much in every unit', async () => {
    const { summary } = await train(architecture, capture)
    expect(summary.fvu).toBeLessThan(0.6)
    const units = process.env.PIPELINE_LONG ? [100, 1e-2, 1e-3, 1e-4, 1e-12] : architecture === 'topk' ? [100] : [1e-4]
    for (const unit of units) {
      const other = await train(architecture, times(unit))
      expect(Math.abs(other.summary.fvu! / summary.fvu! - 1), `times ${unit}`).toBeLessThan(0.03)
      expect(Math.abs(other.summary.dead - summary.dead), `times ${unit}`).toBeLessThanOrEqual(1)
    }
  })
})

test('without it, biases of small activations jump and little is explained', async () => {
  const [usual, small] = [await train('topk', capture), await train('topk', times(1e-4), { inputScale: 'none' })]
  expect(small.summary.fvu).toBeGreaterThan(2 * usual.summary.fvu!)
})

test('a transcoder learns the same where what it predicts has another unit than what it reads', async () => {
  const [usual, other] = [await train('transcoder', capture), await train('transcoder', inUnits({ b: 2 ** -10 }))]
  expect(other.summary.fvu).toBeCloseTo(usual.summary.fvu!, 6)
  const [theirs, ours] = [await weightsOf(usual.directory), await weightsOf(other.directory)]
  expect(ours.W_enc).toEqual(theirs.W_enc)
  expect(ours.b_dec).toEqual(theirs.b_dec!.map(value => value * 2 ** -10))
})

describe('the factor of rows', () => {
  const rows = Float32Array.of(1000, 3, 1002, 5, 1000, 5, 1002, 3)
  const all = { columns: 2, from: 0, to: 2 }

  test('brings their variance to 1 a column, however far they lie from zero', () =>
    expect(rowScale(rows, all, 'deviation')).toBeCloseTo(1, 12))
  test('takes only the columns that are asked for', () =>
    expect(rowScale(rows, { columns: 2, from: 1, to: 2 }, 'mean-square')).toBeCloseTo(1 / Math.sqrt(17), 12))
  test('of rows that are all equal is that of their size', () =>
    expect(rowScale(Float32Array.of(3, 4, 3, 4), all, 'deviation')).toBeCloseTo(Math.SQRT2 / 5, 12))
  test('of zeros is 1', () => expect(rowScale(new Float32Array(4), all, 'deviation')).toBe(1))
})

test('the geometric median of rows in another unit is the same in that unit', () => {
  const [usual, small] = hostMedians([1, 2 ** -20])
  expect(small).toEqual(usual!.map(value => value * 2 ** -20))
})

function hostMedians(units: number[]): Float32Array[] {
  return units.map(unit => {
    const rows = tf.tensor2d([0, 0, 1, 0, 0, 2, 7, 7, 1, 1], [5, 2]).mul<never>(unit)
    return Float32Array.from(hostValues(() => geometricMedian(rows)))
  })
}
