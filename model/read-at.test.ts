/** A pass that goes on with some positions alone gives what the whole pass gives there, in every family. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startEngine } from '../engine/engine.ts'
import { onHost } from '../engine/host.ts'
import { type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import type { Model } from './model.ts'
import { smallConfigs, smallModel } from './random.fixture.ts'

beforeAll(() => startEngine())

const tokensOf = () =>
  tf.tensor2d(
    [
      [1, 2, 3, 4, 5, 6],
      [6, 5, 4, 3, 2, 1],
    ],
    [2, 6],
    'int32',
  )

describe.each(Object.keys(smallConfigs))('%s', family => {
  let model: Model
  beforeAll(() => {
    model = smallModel(family)
  })
  afterAll(() => model.dispose())

  test('logits at some positions, and the last residual, are those of the whole pass', () => {
    const held = tf.memory().numTensors
    const readAt = [
      [5, 1, 1],
      [0, 2, 4],
    ]
    const at = (whole: Tensor3D) =>
      tf.stack(readAt.map((row, b) => whole.slice([b, 0, 0], [1, 6, whole.shape[2]]).squeeze([0]).gather(row)))
    const differences = onHost(() => {
      const tokens = tokensOf()
      const last = `blocks.${model.config.layers - 1}.hook_resid_post`
      return [undefined, last].map(until => {
        const whole = model.run(tokens, { ...(until && { until }) }) as Tensor3D
        const read = model.run(tokens, { readAt, ...(until && { until }) })
        return read.sub(at(whole)).abs().max().dataSync()[0]!
      })
    })
    for (const difference of differences) expect(difference).toBeLessThan(1e-5)
    expect(tf.memory().numTensors).toBe(held)
  })
})

test('what comes after it has a gradient', () => {
  const found = onHost(() => {
    const model = smallModel('llama')
    const tokens = tokensOf()
    const before = 'blocks.1.hook_resid_pre'
    const value = model.run(tokens, { until: before }) as Tensor3D
    const of = (readAt?: number[][]) =>
      tf.grad(x => {
        const logits = model.run(tokens, { from: { site: before, value: x as Tensor3D }, ...(readAt && { readAt }) })
        return readAt ? logits.sum() : logits.slice([0, 3, 0], [2, 1, logits.shape[2]!]).sum()
      })(value)
    return of([[3], [3]])
      .sub(of())
      .abs()
      .max()
      .dataSync()[0]!
  })
  expect(found).toBeLessThan(1e-5)
})

test('positions that are not there, of uneven number, or behind the last block are refused', () => {
  tf.tidy(() => {
    const model = smallModel('llama')
    const tokens = tokensOf() as Tensor2D
    const run = (readAt: number[][], from?: string) => () =>
      model.run(tokens, { readAt, ...(from && { from: { site: from, value: tf.zeros([2, 6, 8]) as Tensor3D } }) })
    expect(run([[0]])).toThrow('as many for each of the 2 rows')
    expect(run([[0], [1, 2]])).toThrow('as many for each of the 2 rows')
    expect(run([[0], [6]])).toThrow('no position 6 to read at among 6')
    expect(run([[0], [1]], 'blocks.1.hook_resid_post')).toThrow('no attention left')
    tf.dispose(Object.values(model.weights))
  })
})
