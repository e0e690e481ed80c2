import { beforeAll, expect, test } from 'vitest'
import { startEngine } from '../engine/engine.ts'
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import { comparedWith, klDivergence, predictionOf, tokenLoss } from './loss.ts'

beforeAll(() => startEngine())

const random = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 2, 'float32', seed)

test('equal logits lose log of the vocabulary at every position but the last', () => {
  tf.tidy(() => {
    const loss = tokenLoss(
      tf.zeros([2, 3, 4]) as Tensor3D,
      tf.tensor2d(
        [
          [0, 1, 2],
          [3, 2, 1],
        ],
        [2, 3],
        'int32',
      ) as Tensor2D,
    )
    expect(loss.shape).toEqual([2, 2])
    for (const value of loss.dataSync()) expect(value).toBeCloseTo(Math.log(4), 6)
  })
})

test('the loss at a position is that of the next token', () => {
  tf.tidy(() => {
    const logits = tf.tensor3d(
      [
        [
          [0, 0],
          [Math.log(3), 0],
          [9, 9],
        ],
      ],
      [1, 3, 2],
    )
    const loss = tokenLoss(logits, tf.tensor2d([[0, 0, 1]], [1, 3], 'int32') as Tensor2D)
    expect(loss.dataSync()[0]).toBeCloseTo(Math.log(2), 6)
    expect(loss.dataSync()[1]).toBeCloseTo(Math.log(4), 6)
  })
})

test('large logits stay exact', () => {
  tf.tidy(() => {
    const logits = tf.tensor3d(
      [
        [
          [1000, 999],
          [0, 0],
        ],
      ],
      [1, 2, 2],
    )
    const loss = tokenLoss(logits, tf.tensor2d([[0, 1]], [1, 2], 'int32') as Tensor2D)
    expect(loss.dataSync()[0]).toBeCloseTo(1 + Math.log(1 + Math.exp(-1)), 5)
  })
})

test('its gradient is that of log softmax by the engine itself, and nothing is left', () => {
  const before = tf.memory().numTensors
  tf.tidy(() => {
    const tokens = tf.tensor2d(
      [
        [1, 3, 0],
        [2, 2, 4],
      ],
      [2, 3],
      'int32',
    ) as Tensor2D
    const weights = random([2, 2], 5)
    const plain = (x: Tensor) =>
      x
        .slice([0, 0, 0], [2, 2, 5])
        .logSoftmax(-1)
        .mul(tf.oneHot(tokens.slice([0, 1], [2, 2]), 5))
        .sum(-1)
        .neg()
    const x = random([2, 3, 5], 1)
    const ours = tf.grad((y: Tensor) =>
      tokenLoss(y as Tensor3D, tokens)
        .mul(weights)
        .sum(),
    )(x)
    const theirs = tf.grad((y: Tensor) => plain(y).mul(weights).sum())(x)
    expect(ours.sub(theirs).abs().max().dataSync()[0]).toBeLessThan(1e-6)
    expect(ours.abs().max().dataSync()[0]).toBeGreaterThan(0.1)
  })
  expect(tf.memory().numTensors).toBe(before)
})

test('KL is zero of a distribution to itself, positive else, and what the sum says', () => {
  tf.tidy(() => {
    const p = random([2, 3, 5], 1) as Tensor3D
    const q = random([2, 3, 5], 2) as Tensor3D
    expect(klDivergence(p, p).abs().max().dataSync()[0]).toBeLessThan(1e-6)
    expect(klDivergence(p, p.add(7)).abs().max().dataSync()[0]).toBeLessThan(1e-5)
    expect(klDivergence(p, q).min().dataSync()[0]).toBeGreaterThan(0)
    const two = klDivergence(tf.zeros([1, 1, 2]), tf.tensor3d([[[Math.log(3), 0]]]))
    expect(two.dataSync()[0]).toBeCloseTo(0.5 * Math.log(0.5 / 0.75) + 0.5 * Math.log(0.5 / 0.25), 6)
  })
})

test('a prediction taken once gives the loss and the KL that both give apart', () => {
  tf.tidy(() => {
    const [p, q] = [random([2, 3, 5], 3) as Tensor3D, random([2, 3, 5], 4) as Tensor3D]
    const tokens = tf.tensor2d([4, 0, 2, 1, 3, 3], [2, 3], 'int32')
    const { loss, divergence } = comparedWith(predictionOf(p), q, tokens)
    const furthest = (one: Tensor2D, other: Tensor2D) => one.sub(other).abs().max().dataSync()[0]
    expect(furthest(loss, tokenLoss(q, tokens))).toBeLessThan(1e-6)
    expect(furthest(divergence, klDivergence(p, q))).toBeLessThan(1e-6)
  })
})
