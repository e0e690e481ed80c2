/** A pass behind a prefix gives what the whole pass gives from there on, in every family. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startEngine } from '../engine/engine.ts'
import { onHost } from '../engine/host.ts'
import { type Tensor2D, type Tensor3D, type Tensor4D, tf } from '../engine/tf.ts'
import type { Model, Prefix } from './model.ts'
import { smallConfigs, smallModel } from './random.fixture.ts'

beforeAll(() => startEngine())

const length = 9
const start = 'blocks.0.hook_resid_post'

/** The prefix as hooks on a whole pass see it. Tensors are the surrounding tidy's. */
function prefixOf(model: Model, tokens: Tensor2D, positions: number): Prefix {
  const rotates = model.sites.some(({ name }) => name === 'blocks.1.attn.hook_rot_k')
  const kept: Record<string, Tensor4D> = {}
  const keep = (name: string) => (value: unknown) => {
    const whole = value as Tensor4D
    const [, , heads, size] = whole.shape
    kept[name] = tf.keep(whole.slice([0, 0, 0, 0], [1, positions, heads, size]))
    return undefined
  }
  model.run(tokens, {
    hooks: {
      [`blocks.1.attn.${rotates ? 'hook_rot_k' : 'hook_k'}`]: keep('keys'),
      'blocks.1.attn.hook_v': keep('values'),
    },
  })
  return { positions, blocks: new Map([[1, { keys: kept.keys!, values: kept.values! }]]) }
}

describe.each(Object.keys(smallConfigs))('%s', family => {
  let model: Model
  beforeAll(() => {
    model = smallModel(family)
  })
  afterAll(() => model.dispose())

  test.each([1, 4, 8])('goes on behind %d positions as the whole pass does', before => {
    const held = tf.memory().numTensors
    const ids = Int32Array.from({ length: 2 * length }, (_, i) => (i * 7 + (i >= length ? 3 : 0)) % 11)
    ids.copyWithin(length, 0, before) // rows share what comes before
    const difference = onHost(() => {
      const tokens = tf.tensor2d(ids, [2, length], 'int32')
      const whole = model.run(tokens) as Tensor3D
      const residual = model.run(tokens, { until: start }) as Tensor3D
      const prefix = prefixOf(model, tokens.slice([0, 0], [1, length]) as Tensor2D, before)
      const rest = model.run(tokens.slice([0, before], [2, length - before]) as Tensor2D, {
        from: { site: start, value: residual.slice([0, before, 0], [2, length - before, residual.shape[2]]) },
        prefix,
      })
      const { keys, values } = prefix.blocks.get(1)!
      const found = rest
        .sub(whole.slice([0, before, 0], [2, length - before, 11]))
        .abs()
        .max()
        .dataSync()[0]!
      tf.dispose([keys, values])
      return found
    })
    expect(difference).toBeLessThan(1e-5)
    expect(tf.memory().numTensors).toBe(held)
  })
})

describe('what cannot go on is refused', () => {
  const run = (options: Parameters<Model['run']>[1]) => () =>
    tf.tidy(() => {
      const model = smallModel('llama')
      return model.run(tf.tensor2d([[1, 2, 3]], [1, 3], 'int32'), options)
    })
  const from = () => ({ site: start, value: tf.zeros([1, 3, 8]) as Tensor3D })
  const keys = (positions: number) => tf.zeros([1, positions, 2, 6]) as Tensor4D
  const prefix = (positions: number, blocks = 1) => ({
    positions,
    blocks: new Map([[blocks, { keys: keys(positions), values: keys(positions) }]]),
  })

  test('without a residual, without a block’s keys, and beyond the context', () => {
    tf.tidy(() => {
      expect(run({ prefix: prefix(2) })).toThrow('needs a residual to start from')
      expect(run({ prefix: prefix(2, 0), from: from() })).toThrow('keys and values [1,2,2,6] of block 1')
      expect(run({ prefix: prefix(14), from: from() })).toThrow("17 tokens is longer than the model's context of 16")
      expect(
        run({ prefix: prefix(2), from: from(), hooks: { 'blocks.1.attn.hook_pattern': () => undefined } }),
      ).toThrow('has no blocks.1.attn.hook_pattern')
    })
  })
})

test.each(['llama', 'gpt2', 'gemma2'])('columns of logits, %s: a product, or none where logits are capped', family => {
  const found = onHost(() => {
    const model = smallModel(family)
    const weights = tf.tensor2d([0.5, -0.5, ...new Array<number>(9).fill(0)], [11, 1])
    const columns = model.logitColumns(weights)
    if (!columns) return null
    const tokens = tf.tensor2d([[1, 2, 3]], [1, 3], 'int32')
    const last = model.run(tokens, { until: 'unembed.hook_in' }).reshape([3, 8]) as Tensor2D
    const logits = model.run(tokens).reshape([3, 11]) as Tensor2D
    return last.matMul(columns).sub(logits.matMul(weights)).abs().max().dataSync()[0]!
  })
  if (family === 'gemma2') expect(found).toBeNull()
  else expect(found).toBeLessThan(1e-5)
})
