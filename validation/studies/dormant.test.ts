import { expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { tf } from '../../engine/tf.ts'
import { conceptCount, conceptOf, fakeDataset } from '../../latents/fake.fixture.ts'
import { answerLogits, plantedModel, plantedSae, unitRow } from '../../latents/planted.fixture.ts'
import { benchOf, studied } from './bench.fixture.ts'
import { dormant } from './dormant.ts'
import { split } from './pathway.ts'

/**
 * Coordinate c is 1 at cues of concept c, 6 + c at every other one of them and at some other tokens; coordinates from 12 on are noise.
 * What is read as concept c: of 0 coordinate 0; of 1 coordinate 12, along which text hardly moves; of 2 coordinate 8, along which it
 * moves with the concept. Latents 0 … 5 fire on coordinate c. Latent 0 writes coordinate 0, latents 1 and 2 half of what they fire on
 * and half of what is read.
 */
const width = 40
const { foundOf } = studied(dormant, async () => {
  const model = plantedModel(
    width,
    token =>
      [...new Random('noise', token).normals(width, 0.02)].map((x, i) => {
        if (i >= 2 * conceptCount) return x
        if (i < conceptCount) return conceptOf(token) === i ? 1 : 0
        const concept = i - conceptCount
        return (conceptOf(token) === concept ? token % 2 === 0 : token % conceptCount === concept) ? 1 : 0
      }),
    x => {
      const read = [0, 12, 8, 3, 4, 5].map(coordinate => x.slice([0, coordinate], [-1, 1]))
      return answerLogits(tf.concat(read, 1).mul(3) as ReturnType<typeof answerLogits>)
    },
  )
  const encoder = Array.from({ length: width }, (_, i) => unitRow(width, i))
  const decoder = encoder.map(row => [...row])
  const half = Math.SQRT1_2
  for (const [latent, read] of [
    [1, 12],
    [2, 8],
  ] as const) {
    decoder[latent]![latent] = half
    decoder[latent]![read] = half
  }
  return benchOf(model, plantedSae(encoder, decoder, 0), fakeDataset(150), { latents: [0, 1, 2], documents: 10 })
})

test('the split is that of each coordinate by how far the values move along it', () => {
  const direction = Float32Array.of(3, 4, 12)
  const lambda = 0.5
  const { active, dormant: rest } = split(Float32Array.of(4, 0, 0, 0, 1, 0, 0, 0, 0), lambda, direction)
  expect([...active]).toEqual([(3 * 4) / (4 + lambda), 4 / (1 + lambda), 0].map(x => expect.closeTo(x, 5)))
  expect(Float32Array.from(active, (x, j) => x + rest[j]!)).toEqual(direction)
})

test('a latent that writes what it reads, and what is read later, is not dormant', () => {
  const found = foundOf(0)
  expect(found.dormant).toBe(false)
  expect(found.ablate!.share!.ratio).toBeLessThan(0.25)
  expect(found.ablate!.active.mean! / found.ablate!.whole.mean!).toBeGreaterThan(0.75)
  expect(found.lengths.active).toBeGreaterThan(0.8)
  expect(found.moved).toBeGreaterThan(0.9)
})

test('one that fires on what nothing reads, and acts by what text does not move along, is flagged', () => {
  const found = foundOf(1)
  // The claim is borne out: ablating it lowers the target.
  expect(found.ablate!.whole.low).toBeGreaterThan(0.1)
  expect(found.dormant).toBe(true)
  expect(found.moved).toBeLessThan(0.75)
  expect(found.ablate!.share!.low).toBeGreaterThan(0.7)
  expect(found.steer!.share!.low).toBeGreaterThan(0.7)
  expect(found.ablate!.active.mean! / found.ablate!.whole.mean!).toBeLessThan(0.3)
})

test('one that acts by something else than it fires on is none, where text moves along it too', () => {
  const found = foundOf(2)
  expect(found.dormant).toBe(false)
  expect(found.ablate!.share!.high).toBeLessThan(0.4)
})
