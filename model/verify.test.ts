import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startEngine } from '../engine/engine.ts'
import { type TensorData, writeSafetensors } from '../engine/safetensors.ts'
import { type Tensor2D, tf } from '../engine/tf.ts'
import { buildModel } from './build.ts'
import { generate } from './generate.ts'
import type { Model } from './model.ts'
import { smallConfigs, smallModel } from './random.fixture.ts'
import { verifyModel } from './verify.ts'

let folder = ''
let model: Model
const ids = [[1, 2, 3]]
beforeAll(async () => {
  await startEngine()
  folder = await mkdtemp(join(tmpdir(), 'verify-'))
  model = smallModel('gpt2')
})
afterAll(() => rm(folder, { recursive: true }))

const valueAt = (until: string): TensorData =>
  tf.tidy(() => {
    const value = model.run(tf.tensor2d(ids, undefined, 'int32') as Tensor2D, { until })
    return { shape: value.shape, data: Float32Array.from(value.dataSync<'float32'>()) }
  })
const path = () => join(folder, 'reference.safetensors')
const write = async (tensors: Record<string, TensorData>, sidecar?: unknown) => {
  await writeSafetensors(path(), tensors)
  await rm(join(folder, 'reference.json'), { force: true })
  if (sidecar) await writeFile(join(folder, 'reference.json'), JSON.stringify(sidecar))
}

test('equal values pass with no difference, in the order of the pass', async () => {
  const pattern = valueAt('blocks.0.attn.hook_pattern')
  await write({ logits: valueAt('unembed.hook_out'), 'pattern.0': pattern }, { input_ids: ids })
  const before = tf.memory().numTensors
  const report = await verifyModel(model, path())
  expect(tf.memory().numTensors).toBe(before)
  expect(report).toMatchObject({ passed: true, tokens: [1, 3] })
  // Watching the pattern takes another way through attention than the logits came by.
  expect(report.largest).toBeLessThan(1e-6)
  expect(report.tensors[0]!.magnitude).toBe(1)
  expect(report.tensors.map(({ name, site }) => [name, site])).toEqual([
    ['pattern.0', 'blocks.0.attn.hook_pattern'],
    ['logits', 'unembed.hook_out'],
  ])
})

test('a difference beyond the tolerance fails its tensor and the whole', async () => {
  const logits = valueAt('unembed.hook_out')
  logits.data[4]! += 0.01
  await write({ logits, 'resid_pre.1': valueAt('blocks.1.hook_resid_pre') }, { input_ids: ids })
  const report = await verifyModel(model, path())
  expect(report.passed).toBe(false)
  expect(report.largest).toBeCloseTo(0.01, 4)
  expect(report.tensors.map(({ passed }) => passed)).toEqual([true, false])
  expect((await verifyModel(model, path(), { tolerance: { absolute: 0.02, relative: 0 } })).passed).toBe(true)
})

test('large values may differ by more, small ones and their neighbours may not', async () => {
  const residual = valueAt('blocks.1.hook_resid_pre')
  const beside = async (largest: number, difference: number) => {
    const big = smallModel('gpt2')
    // Embeddings that large make a residual of that size, as models with a few outlying dimensions have.
    const embedding = big.weights['transformer.wte.weight']!
    const size = Float32Array.from(embedding.dataSync())
    size[8] = largest
    const grown = tf.tensor(size, embedding.shape)
    const weights = { ...big.weights, 'transformer.wte.weight': grown }
    const grownModel = buildModel(smallConfigs.gpt2, weights, { path: 'grown', hash: '' })
    const value = tf.tidy(() =>
      grownModel.run(tf.tensor2d(ids, undefined, 'int32') as Tensor2D, { until: 'blocks.0.hook_resid_pre' }).dataSync(),
    )
    const data = Float32Array.from(value)
    data[1]! += difference
    await write({ 'resid_pre.0': { shape: residual.shape, data } }, { input_ids: ids })
    const [tensor] = (await verifyModel(grownModel, path())).tensors
    embedding.dispose()
    grownModel.dispose()
    return tensor!
  }
  const large = await beside(613, 1.98e-4)
  expect(large.magnitude).toBeCloseTo(613, 0)
  expect(large.allowed).toBeCloseTo(1e-4 + 613e-5, 4)
  expect(large.passed).toBe(true)
  expect((await beside(613, 0.02)).passed).toBe(false)
  const small = await beside(1, 1.98e-4)
  expect(small.magnitude).toBeLessThan(3)
  expect(small.passed).toBe(false)
})

test('an infinity among the expected values allows no more than the finite ones', async () => {
  const scores = valueAt('blocks.1.attn.hook_attn_scores')
  scores.data[0]! += 0.01
  await write({ 'blocks.1.attn.hook_attn_scores': scores }, { input_ids: ids })
  const [tensor] = (await verifyModel(model, path())).tensors
  expect(tensor!.magnitude).toBeLessThan(1000)
  expect(tensor!.passed).toBe(false)
})

describe("the ids of the reference's texts", () => {
  /** Words are their lengths. */
  const tokenizer = {
    encodeAll: async (texts: readonly string[]) =>
      texts.map(text => Int32Array.from(text.split(' ').filter(Boolean), word => word.length)),
  }
  const texts = [
    { text: 'one three five', ids: [3, 5, 4] },
    { text: '', ids: [] },
  ]
  const verify = async (given: typeof texts, how: Parameters<typeof verifyModel>[2] = { tokenizer }) => {
    await write({ logits: valueAt('unembed.hook_out') }, { input_ids: ids, tokenized: given })
    return verifyModel(model, path(), how)
  }

  test('pass where they are equal', async () =>
    expect(await verify(texts)).toMatchObject({ passed: true, texts: { given: 2, compared: 2, different: [] } }))

  test.each([
    [[3, 6, 4], 1],
    [[3, 5], 2],
    [[3, 5, 4, 7], 3],
    [[], 0],
  ])('fail where one is another, missing or too many: %j', async (expected, token) => {
    const report = await verify([...texts, { text: 'one three five', ids: expected }])
    expect(report.passed).toBe(false)
    expect(report.texts.different).toEqual([{ text: 'one three five', token, expected, actual: [3, 5, 4] }])
  })

  test('are counted but not compared without a tokenizer', async () =>
    expect(await verify(texts, {})).toMatchObject({ passed: true, texts: { given: 2, compared: 0, different: [] } }))
})

test('not a number is never within tolerance, an equal infinity is', async () => {
  const scores = valueAt('blocks.1.attn.hook_attn_scores')
  expect(scores.data).toContain(-Infinity)
  await write({ 'blocks.1.attn.hook_attn_scores': scores }, { input_ids: ids })
  expect((await verifyModel(model, path())).largest).toBe(0)
  scores.data[0] = Number.NaN
  await write({ 'blocks.1.attn.hook_attn_scores': scores }, { input_ids: ids })
  expect(await verifyModel(model, path(), { tolerance: { absolute: 1e9, relative: 0 } })).toMatchObject({
    passed: false,
    largest: Infinity,
  })
})

test('tokens may be a tensor of the file, and site names its keys', async () => {
  const z = valueAt('blocks.0.attn.hook_z')
  await write({ 'z.0': { ...z, shape: [1, 3, 8] }, input_ids: { shape: [1, 3], data: Int32Array.of(1, 2, 3) } })
  expect(await verifyModel(model, path())).toMatchObject({ passed: true, largest: 0 })
})

test('what cannot be compared is a sentence', async () => {
  const logits = valueAt('unembed.hook_out')
  await write({ logits })
  await expect(verifyModel(model, path())).rejects.toThrow(/has no input_ids/)
  await write({ logits }, { input_ids: [[1, 2]] })
  await expect(verifyModel(model, path())).rejects.toThrow(/has 33 elements \[1, 3, 11\], but the model has 22/)
  await write({ 'resid_post.2': logits }, { input_ids: ids })
  await expect(verifyModel(model, path())).rejects.toThrow(/nothing to compare with tensor resid_post.2/)
  await write({ logits }, { input_ids: [[1, 2], [3]] })
  await expect(verifyModel(model, path())).rejects.toThrow(/rows of different lengths/)
  await write({ logits }, { ids })
  await expect(verifyModel(model, path())).rejects.toThrow(
    /has no input_ids, neither as a tensor nor in .*reference.json/,
  )
})

test('greedy generation takes the likeliest token each time, stops where told, and leaves nothing', () => {
  const before = tf.memory().numTensors
  const out = [...generate(model, [1, 2], { length: 4 })]
  expect(out.length).toBe(6)
  for (let i = 2; i < 6; i++) {
    const logits = tf
      .tidy(() => [...model.run(tf.tensor2d([out.slice(0, i)], [1, i], 'int32') as Tensor2D).dataSync()])
      .slice(-11)
    expect(out[i]).toBe(logits.indexOf(Math.max(...logits)))
  }
  expect([...generate(model, [1, 2], { length: 4, stop: out[2]! })]).toEqual(out.slice(0, 3))
  expect(generate(model, [1, 2], { length: 100 }).length).toBe(16)
  expect(Math.max(...generate(model, [1, 0], { length: 14, vocabulary: 3 }))).toBeLessThan(3)
  expect(tf.memory().numTensors).toBe(before)
})
