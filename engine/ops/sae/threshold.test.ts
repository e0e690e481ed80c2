import { beforeAll, describe, expect, test } from 'vitest'
import { type Tensor1D, type Tensor2D, tf } from '../../tf.ts'
import { hasRoundedProducts } from '../native.ts'
import { everyWay, largestDifference, opsTestable, startOps } from '../testing.ts'
import { packEncoder } from './encode.ts'
import { type Entries, plainThresholdEncode, thresholdEncode } from './threshold.ts'

const matrix = (shape: [number, number], seed: number) => tf.randomNormal(shape, 0, 1, 'float32', seed) as Tensor2D
/** Small whole numbers: every product and sum of them is exact in float32 and in bfloat16, and many are equal. */
const whole = (shape: [number, number], seed: number) =>
  tf.randomUniform(shape, -2, 3, 'int32', seed).cast('float32') as Tensor2D
const disposeEntries = (entries: Entries | undefined) => {
  if (entries) tf.dispose([entries.starts, entries.indices, entries.values])
}
const arrays = ({ starts, indices, values }: Entries) => [starts.arraySync(), indices.arraySync(), values.arraySync()]
/** How far the values of two sets of the same entries are apart; infinite where the entries differ. */
const apart = (a: Entries, b: Entries) =>
  largestDifference(a.starts, b.starts) + largestDifference(a.indices, b.indices) === 0
    ? largestDifference(a.values, b.values)
    : Number.POSITIVE_INFINITY

describe.skipIf(!opsTestable)('encoding above thresholds in one op', () => {
  beforeAll(() => startOps())

  test('gives what is larger than each latent’s bound, and nothing that equals it', () => {
    const x = tf.tensor2d([[1], [-1], [0]])
    const weight = tf.tensor2d([[3, -1, 5, 0.5]])
    const bias = tf.tensor1d([0, 0, 0, 1])
    const bounds = tf.tensor1d([3, 0, -5, 0.75])
    everyWay(name => {
      const entries = thresholdEncode(x, weight, { bias, bounds, layout: 'in-out', limit: 12 })!
      expect(arrays(entries), name).toEqual([
        [0, 2, 3, 5],
        [2, 3, 1, 2, 3],
        [5, 1.5, 1, 0, 1],
      ])
      disposeEntries(entries)
    })
    tf.dispose([x, weight, bias, bounds])
  })

  const sizes: [number, number, number][] = [
    [1, 1, 1],
    [1, 3, 50],
    [7, 33, 100],
    [65, 70, 1000],
    [40, 800, 333],
    [300, 16, 2500],
    [70, 40, 0],
    [0, 5, 9],
  ]
  test.each(sizes)('agrees with the plain version on ties: %i rows, width %i, %i latents', (rows, width, latents) => {
    const x = whole([rows, width], 1)
    const weight = whole([width, latents], 2)
    const turned = weight.transpose() as Tensor2D
    const bias = whole([1, latents], 3).reshape([latents]) as Tensor1D
    const bounds = whole([1, latents], 4).mul(4).reshape([latents]) as Tensor1D
    const limit = rows * latents
    const plain = plainThresholdEncode(x, weight, { bias, bounds, layout: 'in-out', limit })!
    everyWay(name => {
      const before = tf.memory().numTensors
      for (const rounded of hasRoundedProducts() ? [false, true] : [false])
        for (const layout of ['in-out', 'out-in'] as const) {
          const given = layout === 'in-out' ? weight : turned
          const entries = thresholdEncode(x, given, { bias, bounds, layout, limit, rounded })!
          expect(apart(entries, plain), name).toBe(0)
          disposeEntries(entries)
        }
      expect(tf.memory().numTensors).toBe(before)
    })
    tf.dispose([x, weight, turned, bias, bounds])
    disposeEntries(plain)
  })

  test('agrees with the plain version on all kinds of values, and takes a packed weight', () => {
    const x = matrix([50, 64], 1)
    const weight = matrix([64, 5000], 2)
    const bounds = tf.fill([5000], 12) as Tensor1D
    const options = { bounds, layout: 'in-out', limit: 1e6 } as const
    const plain = plainThresholdEncode(x, weight, options)!
    everyWay(name => {
      const entries = thresholdEncode(x, weight, options)!
      expect(apart(entries, plain), name).toBeLessThan(1e-4)
      disposeEntries(entries)
      if (!hasRoundedProducts()) return
      const turned = weight.transpose() as Tensor2D
      const packed = packEncoder(turned)
      const rounded = { ...options, layout: 'out-in', rounded: true } as const
      const [one, other] = [undefined, packed].map(form => thresholdEncode(x, turned, { ...rounded, packed: form })!)
      expect(apart(one!, other!)).toBe(0)
      tf.dispose([turned, packed])
      disposeEntries(one)
      disposeEntries(other)
    })
    tf.dispose([x, weight, bounds])
    disposeEntries(plain)
  })

  test('gives nothing past the limit, and all up to it', () => {
    const x = matrix([90, 20], 1)
    const weight = matrix([20, 1500], 2)
    const bounds = tf.zeros([1500]) as Tensor1D
    const all = plainThresholdEncode(x, weight, { bounds, layout: 'in-out', limit: 1e9 })!
    const count = all.indices.size
    everyWay(name => {
      const before = tf.memory().numTensors
      expect(thresholdEncode(x, weight, { bounds, layout: 'in-out', limit: count - 1 }), name).toBeUndefined()
      expect(tf.memory().numTensors, name).toBe(before)
      const entries = thresholdEncode(x, weight, { bounds, layout: 'in-out', limit: count })!
      expect(entries.indices.size, name).toBe(count)
      disposeEntries(entries)
    })
    expect(plainThresholdEncode(x, weight, { bounds, layout: 'in-out', limit: count - 1 })).toBeUndefined()
    disposeEntries(all)
    tf.dispose([x, weight, bounds])
  })

  test('says what does not fit', () => {
    const [x, weight, bounds] = [tf.ones([1, 2]), tf.ones([2, 3]), tf.ones([2])] as [Tensor2D, Tensor2D, Tensor1D]
    expect(() => thresholdEncode(x, weight, { bounds, layout: 'in-out', limit: 9 })).toThrow(
      'thresholdEncode: there must be a bound for each latent.',
    )
    tf.dispose([x, weight, bounds])
  })
})
