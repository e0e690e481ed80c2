import { beforeAll, describe, expect, test } from 'vitest'
import { type Tensor, type Tensor3D, tf } from '../tf.ts'
import { type AttentionShape, attention, plainAttention } from './attention.ts'
import { everyWay, largestDifference, opsTestable, startOps } from './testing.ts'

const normal = (shape: number[], seed: number, deviation = 1) =>
  tf.randomNormal(shape as [number], 0, deviation, 'float32', seed) as Tensor as Tensor3D

describe.skipIf(!opsTestable)('attention in one op', () => {
  beforeAll(() => startOps())

  test('one position attends to itself alone', () => {
    const [q, v] = [tf.tensor3d([[[1, 2]]]), tf.tensor3d([[[5, 7]]])]
    const z = attention({ rows: q }, { rows: q }, { rows: v }, { heads: 1, kvHeads: 1, headDim: 2, scale: 1 })
    expect(z.arraySync()).toEqual([[[5, 7]]])
    tf.dispose([q, v, z])
  })

  const cases: [string, number, number, AttentionShape][] = [
    ['one head, one position', 1, 1, { heads: 1, kvHeads: 1, headDim: 1, scale: 1 }],
    ['odd head size', 2, 5, { heads: 3, kvHeads: 3, headDim: 7, scale: 0.4 }],
    ['grouped keys', 2, 19, { heads: 6, kvHeads: 2, headDim: 8, scale: 0.35 }],
    ['a sliding window', 1, 150, { heads: 2, kvHeads: 1, headDim: 16, scale: 0.25, window: 33 }],
    ['a window of one', 1, 9, { heads: 1, kvHeads: 1, headDim: 16, scale: 0.25, window: 1 }],
    ['capped scores', 1, 70, { heads: 2, kvHeads: 2, headDim: 12, scale: 0.5, cap: 3 }],
    ['more than one block of queries', 1, 261, { heads: 1, kvHeads: 1, headDim: 64, scale: 0.125 }],
  ]
  test.each(cases)('agrees with the plain version: %s', (_, batch, positions, shape) => {
    const { heads, kvHeads, headDim } = shape
    const q = normal([batch, positions, heads * headDim], 1, 2)
    const k = normal([batch, positions, kvHeads * headDim], 2, 2)
    const v = normal([batch, positions, kvHeads * headDim], 3)
    const plain = plainAttention({ rows: q }, { rows: k }, { rows: v }, shape)
    const results: Uint8Array[] = []
    everyWay(name => {
      const before = tf.memory().numTensors
      const z = attention({ rows: q }, { rows: k }, { rows: v }, shape)
      expect(z.shape).toEqual(plain.shape)
      expect(largestDifference(z, plain), name).toBeLessThan(5e-6)
      results.push(new Uint8Array((z.dataSync() as Float32Array).buffer))
      z.dispose()
      expect(tf.memory().numTensors).toBe(before)
    })
    for (let i = 0; i < results.length; i += 2) expect(results[i + 1], 'any thread count').toEqual(results[i])
    tf.dispose([q, k, v, plain])
  })

  test('reads packed projections with biases', () => {
    const shape: AttentionShape = { heads: 4, kvHeads: 2, headDim: 5, scale: 0.5 }
    const rows = normal([2, 11, 40], 1)
    const bias = normal([40], 2)
    const [q, k, v] = [0, 20, 30].map(offset => ({ rows, offset, bias }))
    const plain = plainAttention(q!, k!, v!, shape)
    everyWay(name => {
      const z = attention(q!, k!, v!, shape)
      expect(largestDifference(z, plain), name).toBeLessThan(5e-6)
      z.dispose()
    })
    tf.dispose([rows, bias, plain])
  })

  test('very large scores do not overflow, and equal scores share', () => {
    const shape: AttentionShape = { heads: 1, kvHeads: 1, headDim: 4, scale: 1 }
    const q = tf.fill([1, 3, 4], 1e10) as Tensor3D
    const zero = tf.zeros([1, 3, 4]) as Tensor3D
    const v = tf.tensor3d([
      [
        [0, 0, 0, 0],
        [2, 2, 2, 2],
        [4, 4, 4, 4],
      ],
    ])
    everyWay(name => {
      for (const k of [q, zero]) {
        const z = attention({ rows: q }, { rows: k }, { rows: v }, shape)
        const first = z.slice([0, 0, 0], [1, 3, 1])
        expect(
          Array.from(first.dataSync(), x => Math.round(x * 1e5) / 1e5),
          name,
        ).toEqual([0, 1, 2])
        tf.dispose([z, first])
      }
    })
    tf.dispose([q, zero, v])
  })
})
