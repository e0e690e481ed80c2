import { expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { conceptCount, conceptOf, fakeDataset } from '../../latents/fake.fixture.ts'
import { answeredBy, answerLogits, plantedModel, plantedSae, unitRow } from '../../latents/planted.fixture.ts'
import { benchOf, settingsOf, studied, testedBy } from './bench.fixture.ts'
import { specificity } from './specificity.ts'

/** Coordinate c is 1 at cues of concept c and raises its answers; latent 1 writes those of concepts 1 and 2 alike, 3 a little of 4. */
const width = 40
const { bench, foundOf } = studied(specificity, async () => {
  const model = plantedModel(
    width,
    token =>
      [...new Random('noise', token).normals(width, 0.1)].map((x, i) =>
        i >= conceptCount ? x : conceptOf(token) === i ? 1 : 0,
      ),
    x => answerLogits(x.slice([0, 0], [-1, conceptCount]).mul(3)),
  )
  const encoder = Array.from({ length: width }, (_, i) => unitRow(width, i))
  const decoder = encoder.map(row => [...row])
  decoder[1]![2] = 1
  decoder[3]![4] = 0.25
  decoder[5] = unitRow(width, 20)
  return benchOf(model, plantedSae(encoder, decoder, 0), fakeDataset(150), {
    latents: [0, 1, 3, 5],
    documents: 10,
  })
})

const norm = (of: Float32Array) => Math.hypot(...of)

test('a latent that writes its concept alone moves its target farthest and no other', () => {
  const found = foundOf(0)
  expect(found.offTargets.map(({ concept }) => concept)).toEqual([1, 2, 3, 4, 5].map(c => `cue=${c}`))
  expect(found).toMatchObject({
    rank: 1,
    among: conceptCount,
    isolated: true,
    leaks: [],
    cause: 1,
    isolation: 1,
    score: 1,
  })
  // The other targets hold its answers with negative weights, which is taken off; what is left is the noise of counts.
  for (const { cosine, ratio } of found.offTargets) {
    expect(cosine).toBeLessThan(-0.1)
    expect(Math.abs(ratio!.ratio)).toBeLessThan(0.1)
  }
  expect(found.offOn!.ratio).toBeLessThan(0.1)
  expect(found.p).toBeCloseTo(0.05, 6)
})

test('a mixture of two concepts fails isolation, and the other one is named', () => {
  const found = foundOf(1)
  expect(found).toMatchObject({ isolated: false, leaks: ['cue=2'], cause: 1, isolation: 0.8 })
  const { ratio, cosine } = found.offTargets.find(({ concept }) => concept === 'cue=2')!
  const { weights } = bench().plans.find(({ claim }) => claim.feature === 1)!.target
  const moves = (of: Float32Array) =>
    of.reduce((sum, x, v) => sum + ([1, 2].includes(answeredBy(v)) ? x : 0), 0) / norm(of)
  const own = moves(weights)
  const off = (moves(bench().material.text.targetOf(2).weights) - cosine * own) / Math.sqrt(1 - cosine ** 2)
  expect(ratio!.ratio).toBeCloseTo(off / own, 3)
})

test('a leak within the margin is let pass, and measured', () => {
  const found = foundOf(3)
  expect(found).toMatchObject({ isolated: true, leaks: [] })
  expect(found.offTargets.find(({ concept }) => concept === 'cue=4')!.ratio!.ratio).toBeCloseTo(0.25, 1)
})

test('of a latent that moves nothing nothing is said', () => {
  const { isolated, cause, leaks, offOn } = foundOf(5)
  expect({ isolated, cause, leaks, offOn }).toEqual({ isolated: null, cause: 0, leaks: [], offOn: null })
})

test('of one that random directions which fire as often match nothing is said either, however clean its effect', async () => {
  const [matched] = await testedBy(specificity, { ...bench(), plans: bench().plans.slice(0, 1) }, 0.2)
  const [found] = specificity.judge([matched!], settingsOf(bench()))
  expect(found).toMatchObject({ isolated: null, leaks: [], offOn: null, cause: 1, rank: 1 })
})
