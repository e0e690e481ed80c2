import { beforeAll, describe, expect, test } from 'vitest'
import type { InstructionSet } from '../isa.ts'
import { type Tensor, type Tensor2D, tf } from '../tf.ts'
import { type LinearOptions, linear, plainLinear } from './linear.ts'
import { availableInstructions, hasRoundedProducts, opInstructions, setOpInstructions, setOpThreads } from './native.ts'
import { everyWay, largestDifference, opsTestable, startOps } from './testing.ts'

/** x rounded to bfloat16, ties to even. */
function rounded(x: Tensor2D): Tensor2D {
  const bits = new Uint32Array((x.dataSync() as Float32Array).slice().buffer)
  for (let i = 0; i < bits.length; i++) bits[i] = (bits[i]! + 0x7fff + ((bits[i]! >>> 16) & 1)) & 0xffff0000
  return tf.tensor2d(new Float32Array(bits.buffer), x.shape)
}

/** Largest difference in units of what one rounding of the sums may change. */
function relativeDifference(actual: Tensor, expected: Tensor): number {
  return tf.tidy(() => actual.sub(expected).abs().max().div(expected.abs().max().add(1e-6)).dataSync()[0]!)
}

// The engine is in bf16 in this file: the plain version is given rounded inputs of few bits, whose products are exact.
describe.skipIf(!opsTestable)('a linear layer in bf16', () => {
  beforeAll(() => startOps({ precision: 'bf16' }))

  const sizes: [number, number, number][] = [
    [1, 1, 1],
    [1, 32, 32],
    [5, 7, 3],
    [33, 65, 31],
    [70, 768, 40],
    [300, 40, 100],
    [64, 1100, 64],
  ]
  test.each(sizes)('agrees with the product of rounded values: %i rows, %i to %i', (rows, inputs, outputs) => {
    const exact = tf.randomNormal([rows, inputs], 0, 1, 'float32', 1) as Tensor2D
    const exactWeight = tf.randomNormal([inputs, outputs], 0, 1, 'float32', 2) as Tensor2D
    const [x, weight] = [rounded(exact), rounded(exactWeight)]
    const turned = exactWeight.transpose() as Tensor2D
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
      const before = tf.memory().numTensors
      everyWay((name, threads) => {
        if (!hasRoundedProducts()) return
        const one = linear(exact, exactWeight, { ...options, layout: 'in-out' })
        setOpThreads(threads + 2)
        const other = linear(exact, turned, { ...options, layout: 'out-in' })
        expect(relativeDifference(one, plain), name).toBeLessThan(3e-6)
        expect(largestDifference(other, one), name).toBe(0)
        tf.dispose([one, other])
      })
      expect(tf.memory().numTensors).toBe(before)
      plain.dispose()
    }
    tf.dispose([exact, exactWeight, x, weight, turned, bias, residual])
  })

  test('another weight in the same place is not taken for the old one', () => {
    const x = tf.ones([2, 4])
    const ones = Array.from({ length: 20 }, (_, i) =>
      tf.tidy(() => linear(x, tf.fill([4, 3], i), { layout: 'in-out' }).dataSync()[0]),
    )
    expect(ones).toEqual(Array.from({ length: 20 }, (_, i) => 4 * i))
    const variable = tf.variable(tf.fill([4, 3], 1))
    const read = () => tf.tidy(() => linear(x, variable, { layout: 'in-out' }).dataSync()[0])
    expect(read()).toBe(4)
    tf.tidy(() => variable.assign(tf.fill([4, 3], 5)))
    expect(read()).toBe(20)
    tf.dispose([x, variable])
  })

  test('without instructions for it, it is still near the exact product', () => {
    const before = opInstructions() as InstructionSet
    setOpInstructions(availableInstructions()[0]!)
    const x = tf.ones([2, 40])
    const weight = tf.fill([40, 3], 0.5)
    const y = linear(x, weight, { layout: 'in-out' })
    expect(y.dataSync()).toEqual(new Float32Array(6).fill(20))
    setOpInstructions(before)
    tf.dispose([x, weight, y])
  })
})
