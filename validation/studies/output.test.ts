import { expect, test } from 'vitest'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import { conceptOf, fakeDataset, vocabularySize } from '../../latents/fake.fixture.ts'
import { answeredBy, answerLogits, plantedModel, plantedSae, unitRow } from '../../latents/planted.fixture.ts'
import type { Model } from '../../model/model.ts'
import { benchOf, studied } from './bench.fixture.ts'
import { output } from './output.ts'

/** Coordinate c is 3 at cues of concept c < 6 and raises its answers; latent 6 reads concept 1 and writes what nothing reads. */
const width = 8
const promotes = (): Tensor2D =>
  tf.tensor2d(
    Array.from({ length: width }, (_, c) =>
      Array.from({ length: vocabularySize }, (_, token) => (answeredBy(token) === c ? 1 : 0)),
    ),
  )
const { tested, foundOf } = studied(output, async () => {
  const planted = plantedModel(
    width,
    token => unitRow(width, Math.max(0, conceptOf(token)), conceptOf(token) < 0 ? 0 : 3),
    x => answerLogits(x.slice([0, 0], [-1, 6]) as Tensor2D),
  )
  const model: Model = { ...planted, unembedding: promotes }
  const reads = [0, 1, 2, 3, 4, 5, 1]
  const sae = plantedSae(
    reads.map(c => unitRow(width, c)),
    reads.map((c, i) => unitRow(width, i === 6 ? 7 : c)),
  )
  return benchOf(model, sae, fakeDataset(120), { latents: [2, 6], documents: 5, claims: 'firing' })
})

test('a latent that writes answers says them: rank 0, a quarter each', () => {
  // 10 · (3 − .25) on four answers against 0: p = 1/4 within 1e-9.
  expect(foundOf(2).strength).toBeCloseTo(27.5, 4)
  expect(foundOf(2).outputScore.effect.mean).toBeCloseTo(0.25, 5)
  expect(foundOf(2).documents).toBe(5)
})

test('one that writes what nothing reads says nothing, however well it is read', () => {
  expect(foundOf(6).outputScore.effect.mean).toBeLessThan(0.06)
  expect(foundOf(6).confidenceShift.effect.mean).toBe(0)
  // Of six other latents none can show a rank at .05.
  expect(foundOf(6).confidenceShift.p).toBeNull()
})

test('confidence is −1/20 Σ log p of the likeliest: the four answers, then sixteen that are out of question', () => {
  for (const row of tested[0]!.rows) {
    if (row.control !== 'feature') continue
    expect(row.amplified).toBeCloseTo((4 * Math.log(4) + 16 * (27.5 + Math.log(4))) / 20, 0)
    expect(row.clean).toBeLessThan(row.amplified)
  }
})

test('its peak tokens are cues, which it does not promote: the input score is 0', () => {
  expect(foundOf(2).inputScore).toBe(0)
})
