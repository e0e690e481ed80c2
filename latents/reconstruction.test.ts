import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startEngine } from '../engine/engine.ts'
import { type Tensor2D, tf } from '../engine/tf.ts'
import type { Model } from '../model/model.ts'
import type { Sae } from '../sae/sae.ts'
import { fakeDataset, fakeModel, fakeSae, modelWidth } from './fake.fixture.ts'
import { measureReconstruction, siteMean } from './reconstruction.ts'

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

describe('a model with its site replaced', () => {
  /** An SAE that gives back `scale` times what it reads. */
  const scaled = (scale: number): Sae => {
    const sae = fakeSae()
    const reconstruct = (x?: Tensor2D) => tf.tidy(() => x!.mul<Tensor2D>(scale))
    return { ...sae, decode: (_, x) => reconstruct(x), reconstruct }
  }
  const measure = async (sae: Sae, mean: Float32Array) => {
    const found = await measureReconstruction(model, sae, windows, { ...options, mean, meanFrom: 'discovery' })
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
    expect(found.rows).toBe(30 * 19)
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
      measureReconstruction(model, sae, windows, { ...options, mean: await mean(), meanFrom: 'discovery', batchTokens })
    const one = await run(20)
    const all = await run(8192)
    sae.dispose()
    expect(one.ceSpliced).toBeCloseTo(all.ceSpliced, 6)
    expect(one.fvu).toBeCloseTo(all.fvu!, 6)
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
      measureReconstruction(model, sae, of, { ...options, mean: new Float32Array(modelWidth), meanFrom: 'discovery' })
    expect(await run(changed)).toEqual(await run(windows))
    sae.dispose()
  })
})
