import { beforeAll, describe, expect, test } from 'vitest'
import { type Tensor, type Tensor1D, type Tensor2D, tf } from '../../tf.ts'
import { hasRoundedProducts } from '../native.ts'
import { everyWay, opsTestable, startOps } from '../testing.ts'
import { plainTopKEncode, topKEncode } from './encode.ts'

const matrix = (shape: [number, number], seed: number) => tf.randomNormal(shape, 0, 1, 'float32', seed) as Tensor2D
/** Small whole numbers: every product and sum of them is exact in float32 and in bfloat16, and many are equal. */
const whole = (shape: [number, number], seed: number) =>
  tf.randomUniform(shape, -2, 3, 'int32', seed).cast('float32') as Tensor2D

describe.skipIf(!opsTestable)('top-k encoding in one op', () => {
  beforeAll(() => startOps())

  test('keeps the largest above zero, lower latents first among equals, zeros at the lowest places', () => {
    const x = tf.tensor2d([[1]])
    const weight = tf.tensor2d([[3, -1, 5, 5, 5, 0]])
    everyWay(name => {
      const two = topKEncode(x, weight, { k: 2, layout: 'in-out' })
      expect([two.indices.arraySync(), two.values.arraySync()], name).toEqual([[[2, 3]], [[5, 5]]])
      const six = topKEncode(x, weight, { k: 6, layout: 'in-out' })
      expect([six.indices.arraySync(), six.values.arraySync()], name).toEqual([
        [[0, 1, 2, 3, 4, 5]],
        [[3, 0, 5, 5, 5, 0]],
      ])
      const five = topKEncode(x.neg(), weight, { k: 3, layout: 'in-out' })
      expect([five.indices.arraySync(), five.values.arraySync()], name).toEqual([[[0, 1, 2]], [[0, 1, 0]]])
      tf.dispose([two.indices, two.values, six.indices, six.values, five.indices, five.values])
    })
  })

  test('chooses by a factor of each latent, above a floor', () => {
    const x = tf.tensor2d([[1], [2]])
    const weight = tf.tensor2d([[3, 1, 2, 4]])
    const [bias, scale] = [tf.tensor1d([0, 1, 0, 0]), tf.tensor1d([1, 3, 2, 0.5])]
    everyWay(name => {
      for (const rounded of hasRoundedProducts() ? [false, true] : [false]) {
        const { values, indices } = topKEncode(x, weight, { k: 2, bias, scale, floor: 4, layout: 'in-out', rounded })
        expect([indices.arraySync(), values.arraySync()], name).toEqual([
          [
            [0, 1],
            [1, 2],
          ],
          [
            [0, 6],
            [9, 8],
          ],
        ])
        tf.dispose([values, indices])
      }
    })
    const plain = plainTopKEncode(x, weight, { k: 2, bias, scale, floor: 4, layout: 'in-out' })
    expect(plain.values.arraySync()).toEqual([
      [0, 6],
      [9, 8],
    ])
    tf.dispose([x, weight, bias, scale, plain.values, plain.indices])
  })

  const sizes: [number, number, number, number][] = [
    [1, 1, 1, 1],
    [1, 3, 50, 50],
    [7, 33, 100, 4],
    [65, 70, 1000, 32],
    [40, 800, 333, 7],
    [300, 16, 2000, 100],
  ]
  test.each(sizes)(
    'agrees with the plain version on ties: %i rows, width %i, %i latents, k %i',
    (rows, width, latents, k) => {
      const x = whole([rows, width], 1)
      const weight = whole([width, latents], 2)
      const turned = weight.transpose() as Tensor2D
      const bias = whole([1, latents], 3).reshape([latents]) as Tensor1D
      const plain = plainTopKEncode(x, weight, { k, bias, layout: 'in-out' })
      everyWay(name => {
        const before = tf.memory().numTensors
        for (const rounded of hasRoundedProducts() ? [false, true] : [false]) {
          const one = topKEncode(x, weight, { k, bias, layout: 'in-out', rounded })
          expect(differences(one.values, plain.values), name).toBe(0)
          expect(differences(one.indices, plain.indices), name).toBe(0)
          const other = topKEncode(x, turned, { k, bias, layout: 'out-in', rounded })
          expect(differences(other.indices, plain.indices), name).toBe(0)
          tf.dispose([one.values, one.indices, other.values, other.indices])
        }
        expect(tf.memory().numTensors).toBe(before)
      })
      tf.dispose([x, weight, turned, bias, plain.values, plain.indices])
    },
  )

  test('agrees with the plain version on many latents of all kinds of values', () => {
    const x = matrix([50, 64], 1)
    const weight = matrix([64, 5000], 2)
    const plain = plainTopKEncode(x, weight, { k: 40, layout: 'in-out' })
    everyWay(name => {
      const one = topKEncode(x, weight, { k: 40, layout: 'in-out' })
      const [got, expected] = [one.values.dataSync(), plain.values.dataSync()]
      for (let i = 0; i < got.length; i++) expect(Math.abs(got[i]! - expected[i]!), name).toBeLessThan(1e-4)
      expect(one.indices.dataSync(), name).toEqual(plain.indices.dataSync())
      tf.dispose([one.values, one.indices])
    })
    tf.dispose([x, weight, plain.values, plain.indices])
  })

  test('says which k there may be', () => {
    const [x, weight] = [tf.ones([1, 2]) as Tensor2D, tf.ones([2, 3]) as Tensor2D]
    expect(() => topKEncode(x, weight, { k: 4, layout: 'in-out' })).toThrow(
      'topKEncode: k must be from 1 to 3, but it is 4.',
    )
    tf.dispose([x, weight])
  })
})

/** Entries in which two tensors differ; counted here, since the runner compares tens of thousands of them slowly. */
function differences(found: Tensor, expected: Tensor): number {
  const [ours, theirs] = [found.dataSync(), expected.dataSync()]
  return Math.abs(ours.length - theirs.length) + [...ours].filter((value, i) => value !== theirs[i]).length
}
