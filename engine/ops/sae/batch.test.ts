import { beforeAll, describe, expect, test } from 'vitest'
import { type Tensor2D, tf } from '../../tf.ts'
import { everyWay, largestDifference, opsTestable, startOps } from '../testing.ts'
import { keepLargest, plainKeepLargest } from './batch.ts'
import { plainRowNorms, rowNorms, unitRowsInPlace } from './rows.ts'
import { own } from './update.ts'

const choose = (values: number[][]) => ({
  values: tf.tensor2d(values),
  indices: tf.tensor2d(
    values.map(row => row.map((_, i) => 10 + i)),
    undefined,
    'int32',
  ),
})

describe.skipIf(!opsTestable)('the largest latents of a batch', () => {
  beforeAll(() => startOps())

  test('stay, however they fall on the rows, the first among equals', () => {
    const found = choose([
      [5, 0, 2],
      [2, 9, 2],
    ])
    for (const keep of [keepLargest, plainKeepLargest]) {
      const { values, indices, ...rest } = keep(found, 4)
      expect(values.arraySync()).toEqual([
        [5, 2],
        [2, 9],
      ])
      expect(indices.arraySync()).toEqual([
        [10, 12],
        [10, 11],
      ])
      // The second row keeps less than was found of it only because of a tie.
      expect(rest).toEqual({ smallest: 2, full: true, enough: true, most: 2 })
      tf.dispose([values, indices])
    }
    tf.dispose([found.values, found.indices])
  })

  test.each([
    ['ties', 40, 7, 60],
    ['one row', 1, 9, 4],
    ['none wanted', 3, 4, 0],
    ['more wanted than there are', 5, 4, 100],
    ['all wanted', 6, 5, 30],
  ])('are those of the plain version: %s', (_, rows, k, count) => {
    for (const whole of [true, false]) {
      const values = whole
        ? (tf.randomUniform([rows, k], -1, 4, 'int32', rows).cast('float32') as Tensor2D)
        : (tf.randomNormal([rows, k], 1, 1, 'float32', rows) as Tensor2D)
      const found = { values, indices: tf.range(0, rows * k, 1, 'int32').reshape([rows, k]) as Tensor2D }
      const plain = plainKeepLargest(found, count)
      everyWay(name => {
        const before = tf.memory().numTensors
        const kept = keepLargest(found, count)
        expect(kept.values.arraySync(), name).toEqual(plain.values.arraySync())
        expect(kept.indices.arraySync(), name).toEqual(plain.indices.arraySync())
        for (const key of ['full', 'enough', 'smallest', 'most'] as const) expect(kept[key], key).toBe(plain[key])
        tf.dispose([kept.values, kept.indices])
        expect(tf.memory().numTensors).toBe(before)
      })
      tf.dispose([values, found.indices, plain.values, plain.indices])
    }
  })
})

describe.skipIf(!opsTestable)('norms of decoder rows', () => {
  beforeAll(() => startOps())

  test.each([
    [1, 1, 1],
    [130, 33, 3],
    [65, 768, 1],
  ])('agree with the plain version: %i rows of %i in %i parts', (rows, width, sites) => {
    const weight = tf.randomNormal([rows, width], 0, 1, 'float32', 1) as Tensor2D
    const plain = plainRowNorms(weight, sites)
    everyWay(name => {
      const norms = rowNorms(weight, sites)
      expect(largestDifference(norms, plain), name).toBeLessThan(2e-5)
      norms.dispose()
    })
    tf.dispose([weight, plain])
  })

  test('become 1 in place, and stay 0 where a row is zero', () => {
    const start = tf.tensor2d([
      [3, 4],
      [0, 0],
    ])
    everyWay(name => {
      const weight = own(start) as Tensor2D
      unitRowsInPlace(weight)
      const [row, zero] = weight.arraySync()
      expect(
        [row![0], row![1]].map(value => value!.toFixed(6)),
        name,
      ).toEqual(['0.600000', '0.800000'])
      expect(zero).toEqual([0, 0])
      weight.dispose()
    })
    expect(start.arraySync()[0]).toEqual([3, 4])
    start.dispose()
  })
})
