/** Real models on real texts: mean losses and greedy texts that PyTorch and llama2.c gave. */
import { readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import { loadTokenizer } from '../datasets/tokenizer/index.ts'
import { startEngine } from '../engine/engine.ts'
import { type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import { generate } from '../model/generate.ts'
import { loadModel } from '../model/load.ts'
import { tokenLoss } from '../model/loss.ts'
import type { Model } from '../model/model.ts'
import { sharedData } from './shared-data.ts'

beforeAll(() => startEngine())

const reference = sharedData('reference', 'eval.json')
const stories = sharedData('corpora', 'tinystories', 'tinystories_2mb.txt')
type Loss = { mean_nats_per_token: number; tokens: number; texts: number }

/** Mean loss a token over texts of different lengths, a batch at a time. */
function meanLoss(model: Model, texts: Int32Array[]): Loss {
  const sorted = [...texts].sort((a, b) => a.length - b.length)
  let sum = 0
  let count = 0
  for (let start = 0; start < sorted.length; start += 8) {
    const rows = sorted.slice(start, start + 8)
    const longest = Math.max(...rows.map(row => row.length))
    const padded = new Int32Array(rows.length * longest)
    for (const [index, row] of rows.entries()) padded.set(row, index * longest)
    const losses = tf.tidy(() => {
      const tokens = tf.tensor2d(padded, [rows.length, longest], 'int32') as Tensor2D
      return tokenLoss(model.run(tokens) as Tensor3D, tokens).dataSync()
    })
    rows.forEach((row, index) => {
      for (let i = 0; i < row.length - 1; i++) sum += losses[index * (longest - 1) + i]!
      count += row.length - 1
    })
  }
  return { mean_nats_per_token: sum / count, tokens: count, texts: texts.length }
}

describe.each(['stories260K', 'tinystories-656k'])('%s', name => {
  const path = sharedData('models', name)
  test.skipIf(!path || !reference || !stories)('loses what PyTorch says on 120 stories', async () => {
    const key = `${name} on tinystories_2mb.txt stories 200..319 (split at <|endoftext|>, stripped)`
    const expected = (JSON.parse(await readFile(reference!, 'utf8')) as Record<string, Loss>)[key]!
    const model = await loadModel(path!)
    const tokenizer = await loadTokenizer(path!)
    const texts = (await readFile(stories!, 'utf8')).split('<|endoftext|>').map(text => text.trim())
    const windows = (await tokenizer.encodeAll(texts.slice(200, 320))).map(tokens =>
      Int32Array.from([tokenizer.bosToken!, ...tokens]).subarray(0, model.config.context),
    )
    const measured = meanLoss(model, windows)
    expect(measured.tokens).toBe(expected.tokens)
    expect(Math.abs(measured.mean_nats_per_token - expected.mean_nats_per_token)).toBeLessThan(5e-4)
    model.dispose()
  })
})

describe('greedy text', () => {
  const first = sharedData('models', 'stories260K')
  test.skipIf(!first || !reference)('of stories260K is what llama2.c writes', async () => {
    const { text } = (JSON.parse(await readFile(reference!, 'utf8')) as Record<string, { text: string }>)
      .stories260K_greedy!
    const model = await loadModel(first!)
    const tokenizer = await loadTokenizer(first!)
    const ids = generate(model, [tokenizer.bosToken!], { length: 255 })
    // llama2.c counts positions, so the reference may end earlier than we do.
    expect((await tokenizer.decode(ids.subarray(1))).startsWith(text)).toBe(true)
    model.dispose()
  })

  const second = sharedData('models', 'tinystories-656k')
  test.skipIf(!second || !reference)('of tinystories-656k has the reference ids', async () => {
    const { ids } = (JSON.parse(await readFile(reference!, 'utf8')) as Record<string, { ids: number[] }>)[
      'tinystories-656k_greedy_from_bos'
    ]!
    const model = await loadModel(second!)
    expect([...generate(model, [1], { length: 250, stop: model.config.eosToken })]).toEqual(ids)
    model.dispose()
  })
})
