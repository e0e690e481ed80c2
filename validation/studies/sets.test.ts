import { expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { tf } from '../../engine/tf.ts'
import { conceptCount, conceptOf, fakeDataset } from '../../latents/fake.fixture.ts'
import { answeredBy, answerLogits, plantedModel, plantedSae, unitRow } from '../../latents/planted.fixture.ts'
import { benchOf, studied } from './bench.fixture.ts'
import { sets } from './sets.ts'

/**
 * Coordinates c, 6 + c and 12 + c are 1 at cues of concept c, and the SAE has a latent for each. Of concept 0 the first two stand in
 * for each other (their sum saturates at 1); of concept 1 they add up; of concept 2 both are needed (their product is read). The
 * third is read of none. The rest of the width is noise.
 */
const width = 40
const { tested, bench, foundOf } = studied(sets, async () => {
  const model = plantedModel(
    width,
    token =>
      [...new Random('noise', token).normals(width, 0.1)].map((x, i) =>
        i >= 3 * conceptCount ? x : conceptOf(token) === i % conceptCount ? 1 : 0,
      ),
    x => {
      const [first, second] = [x.slice([0, 0], [-1, conceptCount]), x.slice([0, conceptCount], [-1, conceptCount])]
      const only = (...concepts: number[]) =>
        tf.tensor1d(Array.from({ length: conceptCount }, (_, c) => (concepts.includes(c) ? 1 : 0)))
      const either = first.add(second).clipByValue(0, 1).mul(only(0))
      const sum = first.add(second.mul(0.5)).mul(only(1, 3, 4, 5))
      const both = first.mul(second).mul(only(2))
      return answerLogits(either.add(sum).add(both).mul(3))
    },
  )
  const rows = Array.from({ length: width }, (_, i) => unitRow(width, i))
  // f = 1 at cues: what is taken away is all that is there.
  return benchOf(model, plantedSae(rows, rows, 0), fakeDataset(150), {
    latents: [0, 1, 2],
    setSize: 3,
    documents: 10,
  })
})

test('sets of tied directions, each in documents of its own, are controls of the joint effect', () => {
  const rows = tested[0]!.rows
  const tied = rows.filter(({ control }) => control === 'tied')
  expect(new Set(tied.map(({ controlId }) => controlId)).size).toBeGreaterThan(10)
  expect(tied.every(({ removed }) => removed.length === 3)).toBe(true)
  const documents = (of: typeof rows) => new Set(of.map(({ document }) => document))
  expect(documents(tied).size).toBeGreaterThan(documents(rows.filter(({ control }) => control === 'feature')).size)
})

/** Effects of a concept’s set in units of the logit that its answers lose: 3 · what was there. */
function of(concept: number) {
  const found = foundOf(concept)
  const { weights } = bench().plans[concept]!.target
  const unit = 3 * weights.reduce((sum, weight, token) => sum + (answeredBy(token) === concept ? weight : 0), 0)
  const place = (latent: number) => found.latents.findIndex(one => one.latent === latent)
  return {
    found,
    members: found.latents.map(({ latent }) => latent),
    alone: (latent: number) => found.latents[place(latent)]!.alone.mean! / unit,
    given: (latent: number) => found.latents[place(latent)]!.given.mean! / unit,
    joint: found.joint.effect.mean! / unit,
    pair: (a: number, b: number) =>
      found.interactions.find(({ latents }) => latents.includes(a) && latents.includes(b))!.effect.mean! / unit,
  }
}

test('the set is of those that tell the concept', () => {
  for (const concept of [0, 1, 2]) {
    expect(
      of(concept)
        .members.slice()
        .sort((a, b) => a - b),
    ).toEqual([concept, 6 + concept, 12 + concept])
    expect(of(concept).found.latents.map(({ because }) => because)).toEqual(['claimed', 'concept', 'concept'])
  }
})

test('two that stand in for each other: needed for nothing alone, for all once the other is gone, and either suffices', () => {
  const { alone, given, joint, pair, found } = of(0)
  expect([alone(0), alone(6), given(0), given(6)].map(x => Math.round(100 * x))).toEqual([0, 0, 100, 100])
  expect(joint).toBeCloseTo(1, 3)
  expect(pair(0, 6)).toBeCloseTo(1, 3)
  expect(found.sufficient!.latents).toHaveLength(1)
  expect(found.sufficient!.kept!.ratio).toBeCloseTo(1, 3)
  expect(found.joint.p).toBeCloseTo(0.05, 6)
})

test('two that add up: each is needed for its part, without interaction, and both are asked for', () => {
  const { alone, given, joint, pair, found } = of(1)
  expect([alone(1), alone(7), alone(13), joint]).toEqual([1, 0.5, 0, 1.5].map(x => expect.closeTo(x, 3)))
  expect([given(1), given(7)]).toEqual([1, 0.5].map(x => expect.closeTo(x, 3)))
  expect(pair(1, 7)).toBeCloseTo(0, 3)
  expect(found.sufficient!.latents).toEqual([1, 7])
})

test('two that need each other: each takes away all, and so the pair less than its two', () => {
  const { alone, joint, pair, found } = of(2)
  expect([alone(2), alone(8), joint]).toEqual([1, 1, 1].map(x => expect.closeTo(x, 3)))
  expect(pair(2, 8)).toBeCloseTo(-1, 3)
  expect(found.sufficient!.latents.slice().sort((a, b) => a - b)).toEqual([2, 8])
})

test('one that is read by nothing interacts with none and is in no sufficient set', () => {
  for (const concept of [0, 1, 2]) {
    const { alone, given, pair, found } = of(concept)
    const idle = 12 + concept
    expect([alone(idle), given(idle), pair(concept, idle)].every(x => Math.abs(x) < 1e-3)).toBe(true)
    expect(found.sufficient!.latents).not.toContain(idle)
  }
})
