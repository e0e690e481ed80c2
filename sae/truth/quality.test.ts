import { beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { startEngine } from '../../engine/engine.ts'
import type { Fired } from '../../engine/ops/truth/tables.ts'
import { tf } from '../../engine/tf.ts'
import { makeSae } from '../make.ts'
import { matchFeatures, TruthMeter } from './quality.ts'

beforeAll(() => startEngine())

/** A ReLU SAE from rows: encoder [width, latents], decoder [latents, width]. */
const saeOf = (encoder: number[][], decoder: number[][]) =>
  makeSae({
    architecture: 'standard',
    config: {},
    metadata: { hook_name: '' },
    params: {
      W_enc: tf.tensor2d(encoder),
      b_enc: tf.zeros([decoder.length]),
      W_dec: tf.tensor2d(decoder),
      b_dec: tf.zeros([decoder[0]!.length]),
    },
  })

const firedOf = (rows: number[][]): Fired => ({
  offsets: Int32Array.from([0, ...rows.map((_, r) => rows.slice(0, r + 1).flat().length)]),
  features: Int32Array.from(rows.flat()),
  values: new Float32Array(rows.flat().length).fill(1),
})

describe('matching latents with known features', () => {
  test('a permuted, negated, rescaled dictionary is matched whole; a zero row counts as cosine 0', () => {
    const directions = tf.tensor2d([
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ])
    const decoder = tf.tensor2d([
      [0, 0, -3],
      [2, 0, 0],
      [0, 0, 0],
    ])
    const { mcc, best, uniqueness } = matchFeatures(decoder, directions)
    expect(mcc).toBeCloseTo(2 / 3, 6)
    expect([...best]).toEqual([2, 0, 0])
    expect(uniqueness).toBeCloseTo(2 / 3, 6)
    tf.dispose([directions, decoder])
  })

  test('two latents that want one feature share it out so that the sum is largest', () => {
    // Cosines: both latents are nearest to feature 0 (0.8, 0.96); feature 1 has 0.6 and 0.28. Best sum: 0.96 + 0.6.
    const directions = tf.tensor2d([
      [1, 0],
      [0, 1],
    ])
    const decoder = tf.tensor2d([
      [0.8, 0.6],
      [0.96, 0.28],
    ])
    const { mcc, uniqueness } = matchFeatures(decoder, directions)
    expect(mcc).toBeCloseTo((0.96 + 0.6) / 2, 6)
    expect(uniqueness).toBe(0.5)
    tf.dispose([directions, decoder])
  })

  test('a decoder that is not finite is refused in a sentence', () => {
    const decoder = tf.tensor2d([[Number.NaN, 1]])
    expect(() => matchFeatures(decoder, decoder)).toThrow('its training diverged')
    decoder.dispose()
  })

  test('random directions are matched badly, and more latents than features are averaged over the features', () => {
    const random = new Random(1)
    const directions = tf.tensor2d(random.normals(64 * 32), [64, 32])
    const decoder = tf.tensor2d(random.normals(40 * 32), [40, 32])
    expect(matchFeatures(decoder, directions).mcc).toBeLessThan(0.5)
    expect(matchFeatures(directions, directions).mcc).toBeCloseTo(1, 5)
    const few = directions.slice([0, 0], [8, 32])
    expect(matchFeatures(directions, few).mcc).toBeCloseTo(1, 5)
    tf.dispose([directions, decoder, few])
  })
})

describe('figures of an SAE against known features', () => {
  test('figures of four samples that one can check by eye', () => {
    // Latent 0 reads x_0, latent 1 reads x_1; features 0 and 1 lie there, and feature 2 on the diagonal.
    const identity = [
      [1, 0],
      [0, 1],
    ]
    const sae = saeOf(identity, identity)
    const directions = tf.tensor2d([...identity, [Math.SQRT1_2, Math.SQRT1_2]])
    const before = tf.memory().numTensors
    const meter = new TruthMeter(sae, directions)
    const rows = tf.tensor2d([
      [1, 0], // feature 0 fires: a hit of latent 0
      [1, 1], // feature 2 fires: both latents fire in vain
      [0, 0], // feature 1 fires too weakly to be seen: a miss of latent 1
      [0, -1], // nothing fires, and ReLU reconstructs 0
    ])
    meter.add(rows, firedOf([[0], [2], [1], []]))
    rows.dispose()
    const result = meter.result()
    expect(tf.memory().numTensors).toBe(before)
    // Latent 0: precision 1/2, recall 1, F1 2/3. Latent 1: no hit, so all are 0.
    expect(result.precision).toBeCloseTo(1 / 4, 9)
    expect(result.recall).toBeCloseTo(1 / 2, 9)
    expect(result.f1).toBeCloseTo(1 / 3, 9)
    expect(result.mcc).toBeCloseTo(1, 6)
    expect(result.uniqueness).toBe(1)
    expect(result.l0).toBe(3 / 4)
    expect(result.trueL0).toBe(3 / 4)
    expect(result.dead).toBe(0)
    // Only the last sample is wrong, by 1; around the mean (1/2, 0) the squares are 1/4 + 5/4 + 1/4 + 5/4 = 3.
    expect(result.explainedVariance).toBeCloseTo(1 - 1 / 3, 6)
    // Norm ratios 1, 1 and 0 of the three samples that are not 0.
    expect(result.shrinkage).toBeCloseTo(2 / 3, 6)
    directions.dispose()
    sae.dispose()
  })

  test('batches add up, and a latent that never fires is dead', () => {
    const sae = saeOf([[1, -1]], [[1], [0.5]])
    const directions = tf.tensor2d([[1]])
    const meter = new TruthMeter(sae, directions)
    for (const value of [1, 2]) {
      const rows = tf.tensor2d([[value]])
      meter.add(rows, firedOf([[0]]))
      rows.dispose()
    }
    const { measured, dead, precision, f1, l0 } = meter.result()
    expect({ measured, dead, precision, f1, l0 }).toEqual({ measured: 2, dead: 1, precision: 0.5, f1: 0.5, l0: 1 })
    directions.dispose()
    sae.dispose()
  })
})
