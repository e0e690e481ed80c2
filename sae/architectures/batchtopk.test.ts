import { beforeAll, describe, expect, test } from 'vitest'
import { startEngine } from '../../engine/engine.ts'
import { tf } from '../../engine/tf.ts'
import { describeArchitecture } from '../architecture.contract.ts'
import { batchtopk, keepOfBatch, nextThreshold } from './batchtopk.ts'

beforeAll(() => startEngine())

describeArchitecture(batchtopk, { k: 3 })
describeArchitecture(batchtopk, { k: 2.5, rescaleByDecoderNorm: true, reconstruction: 'fvu' })

describe('the latents of a batch', () => {
  const kept = (rows: number[][], k: number) => keepOfBatch(tf.tensor2d(rows), k).arraySync()
  test('are the k a row that are largest over all rows', () => {
    expect(
      kept(
        [
          [1, -2, 3, -4],
          [-5, 6, -7, 8],
        ],
        2,
      ),
    ).toEqual([
      [1, 0, 3, 0],
      [0, 6, 0, 8],
    ])
  })
  test('may all fall on one row', () => {
    expect(
      kept(
        [
          [1, 2, 3, 4],
          [-5, -6, 0.5, -8],
        ],
        2,
      ),
    ).toEqual([
      [1, 2, 3, 4],
      [0, 0, 0, 0],
    ])
  })
  test('never include one that is not positive', () => {
    expect(
      kept(
        [
          [-1, -2],
          [0, -3],
        ],
        2,
      ),
    ).toEqual([
      [0, 0],
      [0, 0],
    ])
  })
  test('go to the lower row, then the lower column, among equals', () => {
    expect(
      kept(
        [
          [1, 2, 1],
          [1, 3, 1],
        ],
        2,
      ),
    ).toEqual([
      [1, 2, 1],
      [0, 3, 0],
    ])
  })
  test('may be a fraction a row: the nearest whole number of the batch is kept', () => {
    expect(
      kept(
        [
          [1, 2],
          [3, 4],
        ],
        1.4,
      ),
    ).toEqual([
      [0, 2],
      [3, 4],
    ])
  })
})

describe('the running threshold', () => {
  const context = (threshold: number, step = 5) => ({
    step,
    total: 10,
    deadCount: 0,
    sparsity: 1,
    variance: 1,
    state: { threshold },
  })
  const latents = () =>
    tf.tensor2d([
      [0, 0.5],
      [2, 0],
    ])
  const config = { thresholdRate: 0.1, thresholdFrom: 2 }
  test('moves towards the smallest kept latent', () =>
    expect(nextThreshold(latents(), config, context(1)).threshold).toBeCloseTo(0.95, 12))
  test('starts at its first observation when it has none', () =>
    expect(nextThreshold(latents(), config, context(-1)).threshold).toBe(0.5))
  test('waits for its first step', () => expect(nextThreshold(latents(), config, context(1, 1)).threshold).toBe(1))
  test('stays when nothing fires', () => expect(nextThreshold(tf.zeros([2, 2]), config, context(1)).threshold).toBe(1))
  test('keeps differences that float32 would lose', () => {
    const next = nextThreshold(latents(), { ...config, thresholdRate: 1e-9 }, context(1)).threshold!
    expect(1 - next).toBeCloseTo(5e-10, 15)
  })
})
