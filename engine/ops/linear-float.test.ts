import { beforeAll, describe, expect, test } from 'vitest'
import { type Tensor, type Tensor2D, tf } from '../tf.ts'
import { type LinearOptions, linear, plainLinear } from './linear.ts'
import { everyWay, largestDifference, opsTestable, startOps } from './testing.ts'

describe.skipIf(!opsTestable)('a linear layer in float32', () => {
  beforeAll(() => startOps())

  test('multiplies what one can check by eye', () => {
    const [x, weight, bias] = [tf.tensor2d([[1, 2]]), tf.tensor2d([[1], [10]]), tf.tensor1d([100])]
    const y = linear(x, weight, { layout: 'in-out', bias })
    expect(y.arraySync()).toEqual([[121]])
    tf.dispose([x, weight, bias, y])
  })

  const sizes: [number, number, number][] = [
    [1, 1, 1],
    [1, 200, 49],
    [5, 7, 3],
    [33, 65, 31],
    [70, 385, 145],
    [300, 40, 100],
  ]
  test.each(sizes)('agrees with the plain version: %i rows, %i to %i', (rows, inputs, outputs) => {
    const x = tf.randomNormal([rows, inputs], 0, 1, 'float32', 1) as Tensor2D
    const weight = tf.randomNormal([inputs, outputs], 0, 1, 'float32', 2) as Tensor2D
    const turned = weight.transpose() as Tensor2D
    const bias = tf.randomNormal([outputs], 0, 1, 'float32', 3)
    const residual = tf.randomNormal([rows, outputs], 0, 1, 'float32', 4)
    const cases: Omit<LinearOptions, 'layout'>[] = [
      {},
      { bias },
      { bias, gelu: 'erf' },
      { gelu: 'tanh' },
      { bias, residual },
    ]
    for (const options of cases) {
      const plain = plainLinear(x, weight, { ...options, layout: 'in-out' })
      const tensors = tf.memory().numTensors
      let before: Tensor | undefined
      everyWay((name, threads) => {
        const one = linear(x, weight, { ...options, layout: 'in-out' })
        const other = linear(x, turned, { ...options, layout: 'out-in' })
        expect(largestDifference(one, plain), name).toBeLessThan(1e-4)
        if (!name.startsWith('plain')) expect(largestDifference(other, one), name).toBe(0)
        if (threads > 1) expect(largestDifference(one, before!), 'any thread count').toBe(0)
        tf.dispose([other, ...(before ? [before] : [])])
        before = one
      })
      before!.dispose()
      expect(tf.memory().numTensors).toBe(tensors)
      plain.dispose()
    }
    tf.dispose([x, weight, turned, bias, residual])
  })

  test('a row gives the same bits however many come with it', () => {
    const [x, weight] = [
      tf.randomNormal([400, 300], 0, 1, 'float32', 1),
      tf.randomNormal([300, 150], 0, 1, 'float32', 2),
    ]
    const turned = weight.transpose()
    everyWay(name => {
      if (name.startsWith('plain')) return
      const all = linear(x, weight, { layout: 'in-out' })
      for (const rows of [1, 2, 3, 4, 5, 191, 192, 193]) {
        const some = x.slice(0, rows)
        const same = all.slice(0, rows)
        const [few, other] = [linear(some, weight, { layout: 'in-out' }), linear(some, turned, { layout: 'out-in' })]
        expect(largestDifference(few, same), `${name}, ${rows} rows`).toBe(0)
        expect(largestDifference(other, same), `${name}, ${rows} rows, turned`).toBe(0)
        tf.dispose([some, few, other, same])
      }
      all.dispose()
    })
    tf.dispose([x, weight, turned])
  })

  test('keeps the axes before the last, and no rows give no rows', () => {
    const weight = tf.ones([3, 2])
    const x = tf.ones([2, 4, 3])
    const none = tf.zeros([0, 3])
    const [y, empty] = [linear(x, weight, { layout: 'in-out' }), linear(none, weight, { layout: 'in-out' })]
    expect(y.shape).toEqual([2, 4, 2])
    expect(empty.shape).toEqual([0, 2])
    tf.dispose([weight, x, none, y, empty])
  })

  test('gradients are the plain version’s', () => {
    const weight = tf.tensor2d([[1], [10]])
    const gradient = tf.grad(x => linear(x, weight, { layout: 'in-out' }))(tf.tensor2d([[1, 2]]))
    expect(Array.from(gradient.dataSync())).toEqual([1, 10])
    tf.dispose([weight, gradient])
  })
})
