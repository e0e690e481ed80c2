import { beforeAll, describe, expect, test } from 'vitest'
import { tf } from '../tf.ts'
import { gelu, plainGelu } from './gelu.ts'
import { everyWay, largestDifference, opsTestable, startOps } from './testing.ts'

/** erf by its series, and by a continued fraction where the series loses digits. */
function erf(x: number): number {
  if (Math.abs(x) > 2) {
    let fraction = 0
    for (let k = 200; k >= 1; k--) fraction = k / 2 / (Math.abs(x) + fraction)
    return Math.sign(x) * (1 - Math.exp(-x * x) / Math.sqrt(Math.PI) / (Math.abs(x) + fraction))
  }
  let sum = 0
  let term = x
  for (let n = 0; n < 60; n++) {
    sum += term / (2 * n + 1)
    term *= (-x * x) / (n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * sum
}
const exact = {
  erf: (u: number) => 0.5 * u * (1 + erf(u / Math.SQRT2)),
  tanh: (u: number) => 0.5 * u * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (u + 0.044715 * u ** 3))),
}

describe.skipIf(!opsTestable)('bias and GELU in one op', () => {
  beforeAll(() => startOps())

  test.each(['erf', 'tanh'] as const)('%s is within 1e-6 of float64 from -8 to 8', form => {
    const values = Float32Array.from({ length: 16001 }, (_, i) => (i - 8000) / 1000)
    const x = tf.tensor2d(values.slice(), [1, 16001])
    everyWay(name => {
      const y = gelu(x, null, form)
      expect(largestDifference(y, Float64Array.from(values, exact[form])), name).toBeLessThan(1e-6)
      y.dispose()
    })
    x.dispose()
  })

  test.each(['erf', 'tanh'] as const)('%s at the ends: 0, ±large, ±infinity, NaN', form => {
    const x = tf.tensor1d([0, 100, -100, 3e38, -3e38, Number.POSITIVE_INFINITY, Number.NaN])
    everyWay(name => {
      const y = gelu(x, null, form)
      const [zero, big, small, huge, tiny, infinite, nan] = y.dataSync() as unknown as number[]
      expect([zero, big, small, tiny].map(Math.abs), name).toEqual([0, 100, 0, 0])
      expect(huge! / 3e38, name).toBeCloseTo(1, 6)
      expect([infinite, nan], name).toEqual([Number.POSITIVE_INFINITY, Number.NaN])
      y.dispose()
    })
    x.dispose()
  })

  test.each([
    [1, 1],
    [3, 17],
    [7, 64],
    [2, 33],
    [130, 129],
  ])('agrees with the plain version on [%i, %i] with a bias', (rows, width) => {
    for (const form of ['erf', 'tanh'] as const) {
      const x = tf.randomNormal([rows, width], 0, 2, 'float32', 1)
      const bias = tf.randomNormal([width], 0, 1, 'float32', 2)
      const plain = plainGelu(x, bias, form)
      everyWay(name => {
        const before = tf.memory().numTensors
        const y = gelu(x, bias, form)
        expect(y.shape).toEqual(x.shape)
        expect(largestDifference(y, plain), name).toBeLessThan(2e-6)
        y.dispose()
        expect(tf.memory().numTensors).toBe(before)
      })
      tf.dispose([x, bias, plain])
    }
  })

  test('reusing the memory of the input gives the same values', () => {
    const x = tf.randomNormal([5, 21], 0, 1, 'float32', 1)
    const bias = tf.ones([21])
    const fresh = gelu(x, bias, 'tanh')
    const own = tf.tidy(() => gelu(x.mul(1), bias, 'tanh', { reuse: true }))
    expect(own.dataSync()).toEqual(fresh.dataSync())
    tf.dispose([x, bias, fresh, own])
  })

  test('gradients are the plain version’s', () => {
    const x = tf.tensor1d([-1, 0, 2])
    const gradient = tf.grad(v => gelu(v, null, 'tanh'))(x)
    const plain = tf.grad(v => plainGelu(v, null, 'tanh'))(x)
    expect(gradient.dataSync()).toEqual(plain.dataSync())
    expect(gradient.dataSync()[1]).toBeCloseTo(0.5, 6)
    tf.dispose([x, gradient, plain])
  })

  test('says which length a bias must have', () => {
    const x = tf.zeros([2, 3])
    const bias = tf.zeros([4])
    expect(() => gelu(x, bias, 'erf')).toThrow('gelu: the bias must have 3 elements, but it has 4.')
    tf.dispose([x, bias])
  })
})
