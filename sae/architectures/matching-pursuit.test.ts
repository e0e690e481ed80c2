import { beforeAll, describe, expect, test } from 'vitest'
import { startEngine } from '../../engine/engine.ts'
import { hostValues } from '../../engine/host.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import { describeArchitecture } from '../architecture.contract.ts'
import { pursue } from '../layers/pursuit.ts'
import { unscale } from '../saved.ts'
import { matchingPursuit } from './matching-pursuit.ts'

describeArchitecture(matchingPursuit, { k: 3 })
describeArchitecture(matchingPursuit, { k: 4, residualThreshold: 0, stopOnRepeat: false })

beforeAll(() => startEngine())

const half = Math.SQRT1_2
/** Two axes, and the direction between them. */
const directions = () =>
  tf.tensor2d([
    [1, 0],
    [0, 1],
    [half, half],
  ])
const latentsOf = (row: number[], end: Partial<Parameters<typeof pursue>[2]> = {}) =>
  Array.from(
    hostValues(
      () => pursue(tf.tensor2d([row]), directions(), { most: 2, threshold: 0, stopOnRepeat: true, ...end }).latents,
    ),
    value => Number(value.toFixed(6)),
  )

describe('matching pursuit', () => {
  test('takes the latent that the row lies most along, and goes on with what is left', () =>
    // (3, 2) lies 3.536 along the third direction; (0.5, −0.5) is left, which lies 0.5 along the first.
    expect(latentsOf([3, 2])).toEqual([0.5, 0, 3.535534]))
  test('takes no latent that points away', () => expect(latentsOf([-3, -1])).toEqual([0, 0, 0]))
  test('takes at most so many', () => expect(latentsOf([3, 2], { most: 1 })).toEqual([0, 0, 3.535534]))
  test('has enough once little is left', () => expect(latentsOf([3, 2], { threshold: 1.5 })).toEqual([0, 0, 3.535534]))
  test('adds to a latent that it takes again, and may stop there', () => {
    // Without unit norm a direction leaves some of itself: of 2 along (.5, 0), 1 is taken, and 1.5 are left, and so on.
    const short = tf.tensor2d([[0.5, 0]])
    const taken = (stopOnRepeat: boolean) =>
      hostValues(() => pursue(tf.tensor2d([[2, 0]]), short, { most: 3, threshold: 0, stopOnRepeat }).latents)[0]
    expect(taken(false)).toBeCloseTo(1 + 0.75 + 0.5625, 6)
    expect(taken(true)).toBeCloseTo(1 + 0.75, 6)
  })
  test('ends for each row by itself', () => {
    const rows = tf.tensor2d([
      [3, 1],
      [0, 2],
    ])
    const found = hostValues(() => pursue(rows, directions(), { most: 5, threshold: 1e-3, stopOnRepeat: true }).latents)
    expect([...found.slice(3)]).toEqual([0, 2, 0])
  })
  test('explains what its latents decode to', () => {
    const { latents, explained } = pursue(tf.tensor2d([[3, 1]]), directions(), {
      ...{ most: 2, threshold: 0, stopOnRepeat: true },
    })
    const decoded = tf.matMul(latents, directions()) as Tensor2D
    expect(hostValues(() => decoded.sub(explained).abs().max())[0]).toBeLessThan(1e-6)
  })
})

test('for rows that are not scaled, the residual it stops at is in their unit', () => {
  const params = { W_dec: directions(), b_dec: tf.tensor1d([4, 8]) }
  const config = { residual_threshold: 0.01, apply_b_dec_to_input: true }
  const saved = unscale({ architecture: 'matching_pursuit', config, params }, { input: 4, target: 4 })
  expect(saved.config.residual_threshold).toBe(0.0025)
  expect([...saved.params.b_dec!.dataSync()]).toEqual([1, 2])
})
