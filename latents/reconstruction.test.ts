import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../core/random.ts'
import { startEngine } from '../engine/engine.ts'
import { type Tensor2D, tf } from '../engine/tf.ts'
import type { Model } from '../model/model.ts'
import { smallModel } from '../model/random.fixture.ts'
import type { Sae } from '../sae/sae.ts'
import { fakeDataset, fakeModel, fakeSae, modelWidth } from './fake.fixture.ts'
import { measureReconstruction, reconstructionRows, siteMean } from './reconstruction.ts'
import { figuresOf } from './reconstruction-rows.ts'

const signal = new AbortController().signal
const options = { batchTokens: 200, signal }
const windows = fakeDataset(30).windows
const site = 'blocks.0.hook_resid_post'
const none = { latents: 1, indices: new Uint32Array(), values: new Float32Array() }
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

  test('rows of windows and bands add up to the whole, whatever the batches, and are measured against other tokens too', async () => {
    const sae = fakeSae()
    const before = tf.memory().numTensors
    const of = (batchTokens: number) =>
      reconstructionRows(model, sae, windows, {
        ...{ ...options, batchTokens, mean: new Float32Array(modelWidth), meanFrom: 'discovery' as const },
        donors: { values: new Random('donors').normals(50 * modelWidth), seed: 3 },
        bandOf: position => (position < 8 ? '1-7' : '8+'),
      })
    const [rows, others] = [await of(200), await of(20)]
    expect(tf.memory().numTensors).toBe(before)
    expect(rows).toHaveLength(60)
    expect(rows.map(({ window, band, tokens, predicted }) => [window, band, tokens, predicted]).slice(0, 2)).toEqual([
      ['document-0', '1-7', 7, 7],
      ['document-0', '8+', 12, 11],
    ])
    const whole = await measureReconstruction(model, sae, windows, {
      ...{ ...options, mean: new Float32Array(modelWidth), meanFrom: 'discovery' },
    })
    const [all, again] = [figuresOf(rows, sae), figuresOf(others, sae)]
    for (const name of [
      'fvu',
      'mse',
      'cosine',
      'l2Ratio',
      'relativeBias',
      'l0',
      'l1',
      'ceSpliced',
      'klSpliced',
    ] as const)
      expect(all[name], name).toBeCloseTo(whole[name]!, 6)
    expect(all.density).toEqual(whole.density)
    expect(whole.ceResample).toBeNull()
    expect(all.ceResample).not.toBeCloseTo(all.ceZero, 3)
    expect(again.ceResample).toBeCloseTo(all.ceResample!, 6)
    expect(all.klRecoveredResample).toBeCloseTo(1 - all.klSpliced / all.klResample!, 12)
    // By hand: Σ‖x − x̄‖² over all tokens, x̄ their mean.
    const values = windows.flatMap(({ tokens }) =>
      tf.tidy(() => {
        const x = model.run(tf.tensor2d(tokens, [1, tokens.length], 'int32'), { until: site })
        return x.reshape([tokens.length, modelWidth]).slice([1, 0]).arraySync() as number[][]
      }),
    )
    const mean = values[0]!.map((_, j) => values.reduce((sum, row) => sum + row[j]!, 0) / values.length)
    const spread = values.reduce((sum, row) => sum + row.reduce((own, x, j) => own + (x - mean[j]!) ** 2, 0), 0)
    expect(rows.reduce((sum, row) => sum + row.spread, 0)).toBeCloseTo(spread, 3)
    sae.dispose()
  })

  test('zero and mean ablation say of windows together what they say of each alone, whatever its first token', async () => {
    const attentive = smallModel('gpt2')
    const width = attentive.config.width
    const sae: Sae = {
      ...fakeSae(),
      ...{ width, outputs: width },
      encode: x => ({ ...none, rows: x.shape[0], offsets: new Uint32Array(x.shape[0] + 1) }),
      decode: (_, x) => tf.zerosLike(x!),
    }
    const random = new Random('first tokens')
    const some = windows.slice(0, 7).map((window, i) => ({
      ...window,
      tokens: Int32Array.from({ length: 9 - (i % 3) }, (_, at) => (at === 0 ? (5 * i) % 3 : random.int(11))),
    }))
    const rowsOf = (batchTokens: number) =>
      reconstructionRows(attentive, sae, some, {
        ...{ signal, batchTokens, mean: new Float32Array(width).fill(0.3) },
        ...{ meanFrom: 'discovery' as const, bandOf: () => '' },
      })
    const [together, alone] = [await rowsOf(1000), await rowsOf(1)]
    expect(new Set(together.map(({ ceZero }) => ceZero)).size).toBe(7)
    for (const name of ['ceZero', 'klZero', 'ceMean', 'klMean'] as const)
      for (const [i, row] of together.entries()) expect(row[name], `${name} ${i}`).toBeCloseTo(alone[i]![name]!, 4)
    sae.dispose()
    attentive.dispose()
  })
})
