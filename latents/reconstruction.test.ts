import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startEngine } from '../engine/engine.ts'
import { onHost } from '../engine/host.ts'
import { openSafetensors } from '../engine/safetensors.ts'
import { type Tensor2D, tf } from '../engine/tf.ts'
import type { Model } from '../model/model.ts'
import { loadSae } from '../sae/formats/saelens.ts'
import type { Sae } from '../sae/sae.ts'
import { sharedData } from '../tests/shared-data.ts'
import { fakeDataset, fakeModel, fakeSae, modelWidth } from './fake.fixture.ts'
import { measureReconstruction, siteMean, ValueSums } from './reconstruction.ts'

const signal = new AbortController().signal
const options = { batchTokens: 200, signal }
const windows = fakeDataset(30).windows
const site = 'blocks.0.hook_resid_post'
let model: Model

beforeAll(async () => {
  await startEngine()
  model = fakeModel()
})
afterAll(() => model.dispose())

describe('figures of values', () => {
  test('by hand: two rows of two', () => {
    // x = (3, 4), (1, 0) with mean (2, 2): Σ‖x − x̄‖² = 5 + 5. x̂ = (3, 3), (1, 1): ‖x − x̂‖² = 1 + 1.
    const sums = new ValueSums(2, 3)
    sums.add(Float32Array.of(3, 4, 1, 0), Float32Array.of(3, 3, 1, 1), { indices: [0, 2, 0] })
    const found = sums.figures()
    expect(found.fvu).toBeCloseTo(0.2, 12)
    expect(found.explainedVariance).toBeCloseTo(0.8, 12)
    expect(found.mse).toBe(1)
    expect(found.msePerDimension).toBe(0.5)
    expect(found.cosine).toBeCloseTo((21 / (5 * Math.sqrt(18)) + 1 / Math.SQRT2) / 2, 12)
    expect(found.l2Ratio).toBeCloseTo((Math.sqrt(18) / 5 + Math.SQRT2) / 2, 12)
    expect(found.relativeBias).toBeCloseTo(20 / 22, 12)
    expect(found.l0).toBe(1.5)
    expect(found.dead).toBe(1)
    expect([...found.density]).toEqual([1, 0, 0.5])
  })

  test('a large mean costs no precision, and a constant error is not free', () => {
    const sums = new ValueSums(1, 0)
    const x = Float32Array.from({ length: 1000 }, (_, i) => 1e4 + (i % 2))
    sums.add(
      x,
      x.map(value => value + 1),
      { indices: [] },
    )
    expect(sums.figures().fvu).toBeCloseTo(4, 6) // Σ1² / Σ0.5²
  })
})

describe('a model with its site replaced', () => {
  /** An SAE that gives back `scale` times what it reads. */
  const scaled = (scale: number): Sae => {
    const sae = fakeSae()
    const reconstruct = (x?: Tensor2D) => tf.tidy(() => x!.mul<Tensor2D>(scale))
    return { ...sae, decode: (_, x) => reconstruct(x), reconstruct }
  }
  const measure = async (sae: Sae, mean: Float32Array) => {
    const found = await measureReconstruction(model, sae, windows, mean, 'discovery', options)
    sae.dispose()
    return found
  }
  const mean = () => siteMean(model, site, windows, options)

  test('a perfect SAE changes nothing and recovers all', async () => {
    const before = tf.memory().numTensors
    const found = await measure(scaled(1), await mean())
    expect(tf.memory().numTensors).toBe(before)
    expect(found.fvu).toBe(0)
    expect(found.ceSpliced).toBeCloseTo(found.ceClean, 6)
    expect(found.klSpliced).toBeCloseTo(0, 6)
    expect(found.ceRecoveredZero).toBeCloseTo(1, 5)
    expect(found.tokens).toBe(30 * 19)
  })

  test('an SAE of zeros is zero ablation: it recovers nothing', async () => {
    const found = await measure(scaled(0), await mean())
    expect(found.ceSpliced).toBe(found.ceZero)
    expect(found.ceRecoveredZero).toBe(0)
    expect(found.klSpliced).toBe(found.klZero)
    expect(found.ceMean).not.toBe(found.ceZero)
  })

  test('an SAE that always gives the mean is mean ablation, and explains nothing', async () => {
    const row = await mean()
    const constant = (x?: Tensor2D) =>
      tf.tidy(() => tf.tensor2d(row, [1, modelWidth]).tile([x!.shape[0], 1]) as Tensor2D)
    const found = await measure({ ...fakeSae(), decode: (_, x) => constant(x) }, row)
    expect(found.ceSpliced).toBe(found.ceMean)
    expect(found.ceRecoveredMean).toBe(0)
    expect(found.fvu).toBeCloseTo(1, 5)
  })

  test('does not depend on the batches', async () => {
    const sae = fakeSae()
    const run = async (batchTokens: number) =>
      measureReconstruction(model, sae, windows, await mean(), 'discovery', { ...options, batchTokens })
    const one = await run(20)
    const all = await run(8192)
    sae.dispose()
    expect(one.ceSpliced).toBeCloseTo(all.ceSpliced, 6)
    expect(one.fvu).toBeCloseTo(all.fvu, 6)
    expect(one.l0).toBe(all.l0)
  })

  test('the loss is of tokens 2 … only, and position 0 is not replaced', async () => {
    // The fake model has no attention: what is at position 0 shows in the loss of token 1 alone, which is not counted.
    const changed = windows.map(window => ({
      ...window,
      tokens: window.tokens.map((token, i) => (i === 0 ? 1 : token)),
    }))
    const sae = fakeSae()
    const run = (of: typeof windows) =>
      measureReconstruction(model, sae, of, new Float32Array(modelWidth), 'discovery', options)
    expect(await run(changed)).toEqual(await run(windows))
    sae.dispose()
  })
})

const golden = sharedData('goldens', 'feature-routing.sae.safetensors')
const directory = sharedData('saes', 'feature-routing-relu-64')

describe.skipIf(!golden || !directory)('a published SAE', () => {
  test('has its published figures on the published activations', async () => {
    const file = await openSafetensors(golden!)
    const values = await file.read('acts_8192')
    await file.close()
    const sae = await loadSae(join(directory!))
    const sums = new ValueSums(sae.width, sae.latents)
    onHost(() => {
      const x = tf.tensor2d(values, [8192, sae.width])
      const latents = sae.encode(x)
      const over = latents.indices.filter((_, i) => latents.values[i]! > 1e-6) // the published L0 counts from 1e-6 on
      sums.add(values, sae.decode(latents, x).dataSync<'float32'>() as Float32Array, { indices: over })
    })
    sae.dispose()
    const found = sums.figures()
    expect(found.fvu).toBeCloseTo(0.0005910004256293178, 7)
    expect(found.l0).toBeCloseTo(49.67529296875, 3)
    expect(found.dead).toBe(0)
  })
})
