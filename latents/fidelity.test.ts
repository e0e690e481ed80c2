import { afterAll, beforeAll, expect, test } from 'vitest'
import { startEngine } from '../engine/engine.ts'
import { tf } from '../engine/tf.ts'
import type { Model } from '../model/model.ts'
import { fakeDataset, fakeModel, fakeSae, modelWidth } from './fake.fixture.ts'
import { fidelityProbe } from './fidelity.ts'
import { measureReconstruction } from './reconstruction.ts'

const { signal } = new AbortController()
const dataset = fakeDataset(60)
const discovery = dataset.windows.filter(({ split }) => split === 'discovery')
const options = {
  site: 'blocks.0.hook_resid_post',
  windows: discovery.length,
  mean: new Float32Array(modelWidth),
  signal,
}
let model: Model

beforeAll(async () => {
  await startEngine()
  model = fakeModel()
})
afterAll(() => model.dispose())

test('a probe gives what validation measures on the same windows, the second time as the first', async () => {
  const sae = fakeSae()
  const full = await measureReconstruction(model, sae, discovery, {
    mean: options.mean,
    meanFrom: 'capture',
    batchTokens: 4096,
    signal,
  })
  const probe = await fidelityProbe(model, dataset, options)
  const before = tf.memory().numTensors
  const first = await probe.measure(sae)
  expect(first).toEqual({
    ceLoss: full.ceSpliced,
    ceRecovered: full.ceRecoveredMean,
    ceRecoveredZero: full.ceRecoveredZero,
    klDivergence: full.klSpliced,
  })
  expect(await probe.measure(sae)).toEqual(first)
  expect(tf.memory().numTensors).toBe(before)
  sae.dispose()
})

test('the second SAE costs two passes of the model instead of four', async () => {
  const sae = fakeSae()
  let passes = 0
  const counted: Model = {
    ...model,
    run(...args: Parameters<Model['run']>) {
      passes++
      return model.run(...args)
    },
  } as Model
  const probe = await fidelityProbe(counted, dataset, options)
  await probe.measure(sae)
  const first = passes
  await probe.measure(sae)
  expect(passes - first).toBeLessThanOrEqual(first / 2)
  sae.dispose()
})

test('as many windows as asked for are read, always the same', async () => {
  const sae = fakeSae()
  const few = async () => (await fidelityProbe(model, dataset, { ...options, windows: 2 })).measure(sae)
  const found = await few()
  expect(await few()).toEqual(found)
  expect(found).not.toEqual(await (await fidelityProbe(model, dataset, options)).measure(sae))
  sae.dispose()
})

test('a model that does not fit the activations is refused', async () => {
  await expect(fidelityProbe(model, dataset, { ...options, mean: new Float32Array(3) })).rejects.toThrow(
    `The activations are 3 wide, but the site ${options.site} of the model for fidelity is ${modelWidth} wide.`,
  )
  await expect(fidelityProbe(model, dataset, { ...options, site: 'blocks.9' })).rejects.toThrow('has no site blocks.9.')
})
