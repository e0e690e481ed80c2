import { beforeAll, describe, expect, test } from 'vitest'
import { startEngine } from '../../engine/engine.ts'
import { type Tensor, tf } from '../../engine/tf.ts'
import { activation } from './activation.ts'
import { attention, attentionMix, attentionScores, causalMask } from './attention.ts'
import { linear, linearByHead } from './linear.ts'
import { layerNorm, normParts, rmsNorm } from './norm.ts'
import { type Rotary, rotaryTable, rotate } from './rotary.ts'

beforeAll(() => startEngine())

const values = (make: () => Tensor) => tf.tidy(() => [...make().dataSync()])
const random = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 1, 'float32', seed)
const largest = (a: Tensor, b: Tensor) => a.sub(b).abs().max().dataSync()[0]!

describe('norms', () => {
  test('of small numbers', () => {
    expect(values(() => layerNorm(tf.tensor2d([[1, 3]]), 0))).toEqual([-1, 1])
    expect(values(() => rmsNorm(tf.tensor2d([[3, 4]]), 0)).map(value => value * Math.sqrt(12.5))).toEqual([
      expect.closeTo(3, 5),
      expect.closeTo(4, 5),
    ])
    expect(values(() => normParts(tf.tensor2d([[1, 3]]), 'layer', 3).scale)).toEqual([2])
    expect(values(() => normParts(tf.tensor2d([[3, 4]]), 'rms', 3.5).scale)).toEqual([4])
  })

  test.each(['layer', 'rms'] as const)('%s: whole and in parts agree, in value and gradient', kind => {
    tf.tidy(() => {
      const x = random([3, 4, 5], 1)
      const out = random([3, 4, 5], 2)
      const whole = (y: Tensor) => (kind === 'layer' ? layerNorm : rmsNorm)(y, 1e-3)
      const parts = (y: Tensor) => {
        const { centred, scale } = normParts(y, kind, 1e-3)
        return centred.div(scale)
      }
      expect(largest(whole(x), parts(x))).toBeLessThan(1e-6)
      const gradient = (f: (y: Tensor) => Tensor) => tf.grad((y: Tensor) => f(y).mul(out).sum())(x)
      expect(largest(gradient(whole), gradient(parts))).toBeLessThan(1e-5)
    })
  })
})

test('activations at −2, 0 and 1', () => {
  const at = (name: Parameters<typeof activation>[1]) => values(() => activation(tf.tensor1d([-2, 0, 1]), name))
  const close = (expected: number[]) => expected.map(value => expect.closeTo(value, 6))
  expect(at('relu')).toEqual([0, 0, 1])
  expect(at('silu')).toEqual(close([-0.23840584, 0, 0.73105858]))
  expect(at('gelu')).toEqual(close([-0.04550026, 0, 0.84134475]))
  expect(at('gelu_new')).toEqual(close([-0.0454023, 0, 0.841192]))
})

describe('linear layers', () => {
  test('read their weights in either layout', () => {
    const x = () => tf.tensor3d([[[1, 2]]])
    const bias = () => tf.tensor1d([10, 20, 30])
    expect(
      values(() =>
        linear(
          x(),
          tf.tensor2d([
            [1, 2, 3],
            [4, 5, 6],
          ]),
          bias(),
          'in-out',
        ),
      ),
    ).toEqual([19, 32, 45])
    expect(
      values(() =>
        linear(
          x(),
          tf.tensor2d([
            [1, 4],
            [2, 5],
            [3, 6],
          ]),
          bias(),
          'out-in',
        ),
      ),
    ).toEqual([19, 32, 45])
  })
  test('by head keep heads apart', () => {
    const x = () =>
      tf.tensor4d([
        [
          [
            [1, 0],
            [0, 1],
          ],
        ],
      ])
    const weights = () =>
      tf.tensor3d([
        [[1], [2]],
        [[3], [4]],
      ])
    expect(values(() => linearByHead(x(), weights()))).toEqual([1, 4])
  })
})

describe('attention', () => {
  const options = { scale: 0.7, window: null, cap: null }

  test('masks what comes later, and what a window has left behind', () => {
    const visible = (window: number | null) => values(() => causalMask(3, window)).map(value => (value === 0 ? 1 : 0))
    expect(visible(null)).toEqual([1, 0, 0, 1, 1, 0, 1, 1, 1])
    expect(visible(2)).toEqual([1, 0, 0, 1, 1, 0, 0, 1, 1])
    expect(visible(9)).toEqual(visible(null))
  })

  test('gives grouped heads the keys and values of their group', () => {
    tf.tidy(() => {
      const [q, k, v] = [random([2, 5, 6, 4], 1), random([2, 5, 2, 4], 2), random([2, 5, 2, 4], 3)]
      const copied = (x: Tensor) =>
        tf.concat(
          tf.unstack(x, 2).flatMap(head => [head, head, head].map(h => h.expandDims(2))),
          2,
        )
      expect(largest(attention(q, k, v, options), attention(q, copied(k), copied(v), options))).toBeLessThan(1e-6)
    })
  })

  test('is its own parts put together, capped or not', () => {
    tf.tidy(() => {
      const [q, k, v] = [random([2, 5, 4, 3], 1), random([2, 5, 2, 3], 2), random([2, 5, 2, 3], 3)]
      for (const each of [options, { ...options, window: 2 }, { ...options, cap: 0.5 }]) {
        const parts = attentionMix(attentionScores(q, k, each).softmax(), v)
        expect(largest(attention(q, k, v, each), parts)).toBeLessThan(1e-6)
      }
      const capped = attentionScores(q.mul(100), k, { ...options, cap: 0.5 })
      expect(capped.max().dataSync()[0]).toBeLessThanOrEqual(0.5)
    })
  })
})

describe('rotation', () => {
  const rotary = (pairs: 'halves' | 'neighbours' = 'halves'): Rotary => ({
    size: 4,
    pairs,
    factor: 1,
    frequencies: () => Float32Array.of(1, 0.1),
  })

  test('turns each pair by position times frequency', () => {
    const turned = values(() =>
      rotate(tf.tensor4d([[[[1, 1, 0, 0, 7]], [[1, 1, 0, 0, 7]]]]), rotary(), rotaryTable(rotary(), 5, 2)),
    )
    const close = (...numbers: number[]) => numbers.map(value => expect.closeTo(value, 6))
    expect(turned.slice(0, 5)).toEqual([1, 1, 0, 0, 7])
    expect(turned.slice(5)).toEqual(close(Math.cos(1), Math.cos(0.1), Math.sin(1), Math.sin(0.1), 7))
  })

  test('turns neighbours where those are the pairs, and what is not rotated stays', () => {
    const turned = values(() => {
      const table = rotaryTable({ ...rotary('neighbours'), factor: 2 }, 5, 2)
      return rotate(tf.tensor4d([[[[1, 0, 1, 0, 7]], [[1, 0, 1, 0, 7]]]]), rotary('neighbours'), table)
    })
    const close = (...numbers: number[]) => numbers.map(value => expect.closeTo(value, 6))
    expect(turned.slice(0, 5)).toEqual([2, 0, 2, 0, 7])
    expect(turned.slice(5)).toEqual(close(2 * Math.cos(1), 2 * Math.sin(1), 2 * Math.cos(0.1), 2 * Math.sin(0.1), 7))
  })

  test('makes products of queries and keys depend on their distance alone', () => {
    tf.tidy(() => {
      const [q, k] = [random([1, 1, 1, 4], 1), random([1, 1, 1, 4], 2)]
      const all = (x: Tensor) => rotate(x.tile([1, 6, 1, 1]), rotary(), rotaryTable(rotary(), 4, 6)).reshape([6, 4])
      const products = tf.matMul(all(q) as never, all(k) as never, false, true).arraySync() as number[][]
      for (let i = 0; i < 4; i++) expect(products[i + 2]![i]).toBeCloseTo(products[2]![0]!, 5)
      expect(Math.abs(products[2]![0]! - products[0]![0]!)).toBeGreaterThan(1e-3)
    })
  })
})
