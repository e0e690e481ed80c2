import { beforeAll, describe, expect, test } from 'vitest'
import type { InstructionSet } from '../isa.ts'
import { type Tensor, type Tensor2D, tf } from '../tf.ts'
import { type LinearOptions, linear, plainLinear } from './linear.ts'
import { availableInstructions, opInstructions, setOpInstructions } from './native.ts'
import { everyWay, largestDifference, opsTestable, startOps } from './testing.ts'

/** x weight in float64, and for each value the product of its row's and its column's norm. */
function exactly(x: Tensor2D, weight: Tensor2D) {
  const [rows, inputs] = x.shape
  const outputs = weight.shape[1]
  const [a, b] = [x.dataSync(), weight.dataSync()]
  const values = new Float64Array(rows * outputs)
  const norms = new Float64Array(rows * outputs)
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < outputs; column++) {
      let [sum, left, right] = [0, 0, 0]
      for (let i = 0; i < inputs; i++) {
        const [p, q] = [a[row * inputs + i]!, b[i * outputs + column]!]
        sum += p * q
        left += p * p
        right += q * q
      }
      values[row * outputs + column] = sum
      norms[row * outputs + column] = Math.sqrt(left * right)
    }
  return { values, norms }
}

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

  // On AMX products of 64 rows and more are made by thirds, those of fewer as on AVX-512.
  test('a row gives the same bits however many come with it, on AMX however many of 64 and more', () => {
    const [x, weight] = [
      tf.randomNormal([400, 300], 0, 1, 'float32', 1),
      tf.randomNormal([300, 150], 0, 1, 'float32', 2),
    ]
    const turned = weight.transpose()
    const few = [1, 2, 3, 4, 5, 63]
    const many = [64, 80, 81, 191, 192, 193, 256, 257]
    everyWay(name => {
      if (name.startsWith('plain')) return
      for (const counts of name.startsWith('amx') ? [few, many] : [[...few, ...many]]) {
        const all = linear(x.slice(0, counts.at(-1)! === 63 ? 63 : 400), weight, { layout: 'in-out' })
        for (const rows of counts) {
          const some = x.slice(0, rows)
          const same = all.slice(0, rows)
          const [one, other] = [linear(some, weight, { layout: 'in-out' }), linear(some, turned, { layout: 'out-in' })]
          expect(largestDifference(one, same), `${name}, ${rows} rows`).toBe(0)
          expect(largestDifference(other, same), `${name}, ${rows} rows, turned`).toBe(0)
          tf.dispose([some, one, other, same])
        }
        all.dispose()
      }
    })
    tf.dispose([x, weight, turned])
  })

  // The largest error of a sum in units of |row| |column|; a float32 product alone may be off by 6e-8.
  test.each([
    [64, 64, 64],
    [97, 800, 70],
    [300, 1000, 97],
  ])('is as near to float64 as sums of float32 products are: %i rows, %i to %i', (rows, inputs, outputs) => {
    const sizes = tf.tidy(() => tf.pow(2, tf.randomUniform([inputs], -12, 12, 'float32', 3)))
    const x = tf.tidy(() => tf.randomNormal([rows, inputs], 0, 1, 'float32', 1).mul(sizes)) as Tensor2D
    const weight = tf.tidy(() => tf.randomNormal([inputs, outputs], 0, 1, 'float32', 2)) as Tensor2D
    const { values, norms } = exactly(x, weight)
    everyWay(name => {
      const y = linear(x, weight, { layout: 'in-out' })
      const sums = y.dataSync()
      let worst = 0
      for (let i = 0; i < sums.length; i++) worst = Math.max(worst, Math.abs(sums[i]! - values[i]!) / norms[i]!)
      expect(worst, name).toBeLessThan(4e-7)
      if (name.startsWith('amx')) expect(worst, name).toBeLessThan(1.2e-7)
      y.dispose()
    })
    tf.dispose([sizes, x, weight])
  })

  test('rows and columns that thirds cannot hold are what they are without AMX', () => {
    const sets = availableInstructions()
    if (!sets.includes('amx')) return
    const [rows, inputs, outputs] = [70, 100, 66]
    const x = tf.randomNormal([rows, inputs], 0, 1, 'float32', 1).dataSync<'float32'>().slice()
    const scale = (row: number, by: number) => {
      for (let i = 0; i < inputs; i++) x[row * inputs + i]! *= by
    }
    scale(3, 1e-30)
    scale(4, 1e30)
    scale(5, 0)
    x[6 * inputs + 7] = Number.NaN
    x[7 * inputs + 8] = Number.POSITIVE_INFINITY
    x[69 * inputs + 99] = 1e15
    x[68 * inputs] = 1e-35 // beside numbers about 1 it has no weight
    const odd = [3, 4, 6, 7, 69]
    const given = tf.tensor2d(x, [rows, inputs])
    const weight = tf.randomNormal([inputs, outputs], 0, 1, 'float32', 2) as Tensor2D
    const shrunk = weight.dataSync<'float32'>().slice()
    for (let i = 0; i < inputs; i++) shrunk[i * outputs + 65]! *= 1e-30
    const small = tf.tensor2d(shrunk, [inputs, outputs])
    const residual = tf.randomNormal([rows, outputs], 0, 1, 'float32', 4)
    const before = opInstructions() as InstructionSet
    const at = (set: InstructionSet, w: Tensor2D, layout: 'in-out' | 'out-in') => {
      setOpInstructions(set)
      return tf.tidy(() => linear(given, w, { layout, residual }).dataSync<'float32'>().slice())
    }
    const turned = weight.transpose() as Tensor2D
    const turnedSmall = small.transpose() as Tensor2D
    try {
      for (const [w, layout] of [
        [weight, 'in-out'],
        [turned, 'out-in'],
      ] as const) {
        const [floats, thirds] = [at('avx512', w, layout), at('amx', w, layout)]
        let apart = 0
        for (let i = 0; i < floats.length; i++) {
          const row = Math.floor(i / outputs)
          if (odd.includes(row)) expect(thirds[i], `row ${row}`).toBe(floats[i])
          else {
            expect(Math.abs(thirds[i]! - floats[i]!)).toBeLessThan(2e-5)
            if (thirds[i] !== floats[i]) apart++
          }
        }
        expect(apart, 'the other rows are made by thirds').toBeGreaterThan(rows)
      }
      for (const [w, layout] of [
        [small, 'in-out'],
        [turnedSmall, 'out-in'],
      ] as const)
        expect(at('amx', w, layout)).toEqual(at('avx512', w, layout))
    } finally {
      setOpInstructions(before)
    }
    tf.dispose([given, weight, small, residual, turned, turnedSmall])
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
