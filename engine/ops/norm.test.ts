import { beforeAll, describe, expect, test } from 'vitest'
import { tf } from '../tf.ts'
import { addBias, addNorm, type NormOptions, norm, plainAddBias, plainNorm } from './norm.ts'
import { siluMul } from './silu.ts'
import { everyWay, largestDifference, opsTestable, startOps } from './testing.ts'

describe.skipIf(!opsTestable)('norms in one op', () => {
  beforeAll(() => startOps())

  test('normalises a row that one can check by eye', () => {
    const x = tf.tensor2d([[1, 3]])
    const { value, scale } = norm(x, { kind: 'layer', epsilon: 0 })
    expect(value.arraySync()).toEqual([[-1, 1]])
    expect(scale.arraySync()).toEqual([[1]])
    tf.dispose([x, value, scale])
  })

  test('a row of equal values gives zeros, not NaN', () => {
    const x = tf.fill([2, 19], 7)
    everyWay(name => {
      const { value, scale } = norm(x, { kind: 'layer', epsilon: 1e-5 })
      expect(Math.max(...value.abs().dataSync()), name).toBe(0)
      tf.dispose([value, scale])
    })
    x.dispose()
  })

  test.each([
    [1, 1],
    [1, 768],
    [3, 17],
    [7, 64],
    [130, 130],
  ])('agrees with the plain version on [2, %i, %i]', (rows, width) => {
    const x = tf.randomNormal([2, rows, width], 1, 2, 'float32', 1)
    const delta = tf.randomNormal([2, rows, width], 0, 2, 'float32', 2)
    const gain = tf.randomNormal([width], 1, 1, 'float32', 3)
    const bias = tf.randomNormal([width], 0, 1, 'float32', 4)
    for (const kind of ['layer', 'rms'] as const)
      for (const given of [{}, { gain }, { gain, bias }]) {
        const options: NormOptions = { kind, epsilon: 1e-3, ...given }
        const plain = plainNorm(x, options)
        const sum = plainAddBias(x, delta, bias)
        const plainOfSum = plainNorm(sum, options)
        const plainThree = x.add(delta)
        everyWay(name => {
          const before = tf.memory().numTensors
          const one = norm(x, options)
          expect([one.value.shape, one.scale.shape]).toEqual([
            [2, rows, width],
            [2, rows, 1],
          ])
          expect(largestDifference(one.value, plain.value), name).toBeLessThan(1e-5)
          expect(largestDifference(one.scale, plain.scale), name).toBeLessThan(1e-5)
          const two = addNorm(x, delta, bias, options)
          expect(largestDifference(two.sum, sum), name).toBe(0)
          expect(largestDifference(two.value, plainOfSum.value), name).toBeLessThan(1e-5)
          const three = addBias(x, delta, null)
          expect(largestDifference(three, plainThree), name).toBe(0)
          tf.dispose([one.value, one.scale, two.sum, two.value, two.scale, three])
          expect(tf.memory().numTensors).toBe(before)
        })
        tf.dispose([plain.value, plain.scale, sum, plainOfSum.value, plainOfSum.scale, plainThree])
      }
    tf.dispose([x, delta, gain, bias])
  })

  test('a gated activation of odd length agrees with its definition', () => {
    const gate = tf.randomNormal([3, 37], 0, 4, 'float32', 1)
    const up = tf.randomNormal([3, 37], 0, 1, 'float32', 2)
    const plain = tf.tidy(() => gate.mul(gate.sigmoid()).mul(up))
    everyWay(name => {
      const y = siluMul(gate, up)
      expect(largestDifference(y, plain), name).toBeLessThan(3e-6)
      y.dispose()
    })
    tf.dispose([gate, up, plain])
  })
})
