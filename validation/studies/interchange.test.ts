import { describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { tf } from '../../engine/tf.ts'
import { conceptCount, conceptOf, fakeDataset } from '../../latents/fake.fixture.ts'
import { answeredBy, answerLogits, plantedModel, plantedSae, unitRow } from '../../latents/planted.fixture.ts'
import type { Model } from '../../model/model.ts'
import type { Sae } from '../../sae/sae.ts'
import { benchOf, studied } from './bench.fixture.ts'
import { interchange } from './interchange.ts'

/**
 * Coordinates c and 6 + c are both 1 at cues of concept c. Concepts below 3 are read from both and saturate at 1, so that either
 * does alone what both do; the others are read from coordinate c alone. The rest of the width is noise that nothing reads.
 */
const width = 40
const read = (model: Model, sae: Sae) =>
  benchOf(model, sae, fakeDataset(150), {
    latents: [0, 4, 10],
    documents: 10,
    controls: { tied: 40, random: 19, foreign: 19 },
  })
const { bench, foundOf } = studied(interchange, async () => {
  const noise = (token: number) => [...new Random('noise', token).normals(width, 0.1)]
  const model = plantedModel(
    width,
    token => noise(token).map((x, i) => (i >= 2 * conceptCount ? x : conceptOf(token) === i % conceptCount ? 1 : 0)),
    x => {
      const [first, second] = [x.slice([0, 0], [-1, conceptCount]), x.slice([0, conceptCount], [-1, conceptCount])]
      const redundant = tf.tensor1d([1, 1, 1, 0, 0, 0])
      const saturated = first.add(second).clipByValue(0, 1).mul(redundant)
      return answerLogits(saturated.add(first.mul(tf.sub(1, redundant))).mul(3))
    },
  )
  const rows = Array.from({ length: width }, (_, i) => unitRow(width, i))
  return read(model, plantedSae(rows, rows, 0.1))
})

/** The target’s weight on the answers of a concept. */
const weightOf = (weights: Float32Array, concept: number) =>
  concept < 0 ? 0 : weights.reduce((sum, weight, token) => sum + (answeredBy(token) === concept ? weight : 0), 0)

describe('a latent that is read alone', () => {
  test('suffices for as much as it is needed for, and the numbers are those of the sum', () => {
    const { sufficiency, necessity, difference, backup, pairs } = foundOf(4)
    const { target, documents } = bench().plans.find(({ claim }) => claim.feature === 4)!
    const own = weightOf(target.weights, 4)
    // f = 0.9 goes in or out, and the logits of four answers move by three times that.
    expect(sufficiency.effect.mean).toBeCloseTo(0.9 * 3 * own, 3)
    expect(necessity.effect.mean).toBeCloseTo(0.9 * 3 * own, 3)
    const expected = documents.ablate.map(({ activations }, i) => {
      const silent = documents.steer[i]!.window.tokens
      const each = [...activations.keys()].map(
        position => 3 * own - 3 * weightOf(target.weights, conceptOf(silent[position]!)),
      )
      return each.reduce((sum, x) => sum + x, 0) / each.length
    })
    expect(pairs).toBe(10)
    expect(difference.mean).toBeCloseTo(expected.reduce((sum, x) => sum + x, 0) / 10, 3)
    expect(sufficiency.share!.ratio).toBeCloseTo(sufficiency.effect.mean! / difference.mean!, 6)
    expect([sufficiency.found, necessity.found, backup]).toEqual([true, true, false])
  })
})

test('one of two that do the same is sufficient and not necessary', () => {
  const { sufficiency, necessity, backup } = foundOf(0)
  expect(necessity.effect.mean).toBeCloseTo(0, 5)
  expect(necessity.share!.ratio).toBeCloseTo(0, 5)
  expect(sufficiency.share!.low).toBeGreaterThan(0.3)
  expect([sufficiency.found, necessity.found, backup]).toEqual([true, false, true])
})

test('a direction that goes with the concept and is not read is neither', () => {
  const { sufficiency, necessity, backup } = foundOf(10)
  expect([sufficiency.found, necessity.found, backup]).toEqual([false, false, false])
})
