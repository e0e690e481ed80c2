import { beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { startEngine } from '../../engine/engine.ts'
import { tf } from '../../engine/tf.ts'
import { fakeDataset, fakeModel, fakeSae } from '../../latents/fake.fixture.ts'
import { stratifiedAuroc } from '../../statistics/association/stratified-auroc.ts'
import { conceptRows } from '../claims/concepts.ts'
import { association } from './association.ts'
import type { AssociationRow } from './association-found.ts'
import { benchOf, contractSettings, testedBy } from './bench.fixture.ts'
import { keepsTheContract } from './study.contract.ts'
import type { TestedLatent } from './study.ts'
import { aurocWithinToken, stratumOf, tokenStrata } from './within-token.ts'

const fakes = { latents: [0, 3], documents: 4, claims: 'concept', minimumSeparation: 0 }
let measured: TestedLatent<AssociationRow>[] = []
let leaks = 0

beforeAll(async () => {
  await startEngine()
  const [model, sae] = [fakeModel(), fakeSae()]
  const bench = await benchOf(model, sae, fakeDataset(120), fakes)
  const before = tf.memory().numTensors
  measured = await testedBy(association, bench)
  leaks = tf.memory().numTensors - before
  model.dispose()
  sae.dispose()
})

const nothing = {
  token: null,
  place: null,
  carries: null,
  carriesOther: null,
  activation: null,
  name: null,
  value: null,
}
const shared = { ...nothing, document: null, count: 1 }

type Fires = (token: number, carries: number, other: number, random: Random) => number

/**
 * 24 documents of 40 tokens, a third about the concept, in which the first tokens of twenty are more frequent; the other
 * concept goes with it at three tokens of four.
 */
function rowsOf(fires: Fires, tied: readonly number[], shuffled = false, seed = 1): AssociationRow[] {
  const random = new Random(seed, 'association')
  const cells = (part: 'discovery' | 'validation') =>
    Array.from({ length: 24 * 40 }, (_, i): AssociationRow => {
      const document = Math.floor(i / 40)
      const about = document % 3 === 0 ? 1 : 0
      const token = Math.floor(20 * random.uniform() ** (about ? 3 : 1.5))
      const other = random.uniform() < 0.75 ? about : 1 - about
      const activation = Math.fround(Math.max(0, fires(token, about, other, random)))
      const carries = shuffled ? ((document * 7) % 24 < 8 ? 1 : 0) : about
      const cell = { ...shared, part, carries, activation }
      return part === 'discovery' ? cell : { ...cell, document: `d${document}`, token, place: 1, carriesOther: other }
    })
  return [
    ...cells('discovery'),
    ...cells('validation'),
    { ...shared, part: 'correlated', name: 'other', value: 0.4 },
    ...tied.map(value => ({ ...shared, part: 'tied' as const, value })),
  ]
}

const weak = Array.from({ length: 99 }, (_, i) => 0.45 + i / 1000)
const detector: Fires = (token, _, __, random) => (token < 3 ? 2 : -1) + 0.5 * random.normal()
const reader: Fires = (token, carries, _, random) => (token < 3 ? 1 : 0) + 1.5 * carries - 0.5 + random.normal()
const otherReader: Fires = (_, __, other, random) => 2 * other - 1 + random.normal()

function judged(...all: readonly AssociationRow[][]) {
  const tested = all.map((rows, feature) => ({
    ...measured[0]!,
    claim: { ...measured[0]!.claim, feature },
    rows,
  }))
  return association.judge(tested, contractSettings).map(found => found!)
}

describe('planted latents', () => {
  test('a pure token detector tells the concept, and loses it within the token', () => {
    const [found] = judged(rowsOf(detector, weak))
    expect(found!.averagePrecision).toBeGreaterThan(1.3 * found!.prevalence)
    expect(found!.lift!.low!).toBeGreaterThan(1)
    expect(found!.withinToken!.low!).toBeLessThan(0.5)
    expect(found!.withinToken!.high!).toBeGreaterThan(0.5)
    expect(found!.finding).toBe('token')
    // What it knows of the concept it knows of the token.
    expect(found!.information.corrected).toBeGreaterThan(0.01)
    expect(Math.abs(found!.information.givenToken.corrected)).toBeLessThan(0.01)
  })

  test('one that reads the concept keeps it, unless random directions that were chosen alike do as well', () => {
    const [found, random] = judged(
      rowsOf(reader, weak),
      rowsOf(
        reader,
        weak.map(value => value + 0.45),
      ),
    )
    expect(found).toMatchObject({ finding: 'beyond-token', tied: { count: 99, p: 0.01 } })
    expect(found!.withinToken!.low!).toBeGreaterThan(0.7)
    expect(random!.finding).toBe('as-random-directions')
  })

  test('shuffled labels are told by nothing', () => {
    const [found] = judged(rowsOf(reader, weak, true))
    expect(found!.finding).toBe('token')
    expect(found!.f1!.estimate).toBeLessThan(0.55)
    expect(found!.information.corrected).toBeLessThan(0.01)
  })

  test('of two concepts that go together the one that is read is told, whichever is claimed', () => {
    const [claimed, other] = judged(rowsOf(reader, weak), rowsOf(otherReader, weak))
    expect(claimed!.correlated).toMatchObject({ concept: 'other', told: 'claimed' })
    expect(claimed!.correlated!.oddsRatio.low!).toBeGreaterThan(2)
    expect(other!.correlated!.told).toBe('other')
    expect(other!.correlated!.givenOther!.low!).toBeLessThan(0.5)
    expect(other!.correlated!.oddsRatio.low!).toBeLessThan(1)
    expect(other!.averagePrecision).toBeGreaterThan(other!.prevalence)
  })
})

test('by hand: three tokens with the concept and three without', () => {
  const cell = (document: string, token: number, carries: number, activation: number, count = 1): AssociationRow => {
    return { ...shared, part: 'validation', document, token, place: 0, carries, activation, count }
  }
  const [found] = judged([
    { ...shared, part: 'discovery', carries: 1, activation: 2 },
    { ...shared, part: 'discovery', carries: 0, activation: 1 },
    cell('a', 5, 1, 3),
    cell('b', 5, 0, 1, 2),
    cell('c', 6, 1, 2),
    cell('d', 6, 0, 4),
    cell('e', 7, 1, 0),
  ])
  expect(found).toMatchObject({ threshold: 2, precision: 2 / 3, prevalence: 0.5, tied: { count: 0, p: null } })
  expect(found!.recall!.estimate).toBeCloseTo(2 / 3, 14)
  // Highest first: 4 no, 3 yes, 2 yes, 1 no twice, 0 yes.
  expect(found!.averagePrecision).toBeCloseTo((1 / 2 + 2 / 3 + 3 / 6) / 3, 14)
  // Token 5: 2 of 2 pairs; token 6: 0 of 1; token 7 has one label.
  expect(found!.withinToken).toMatchObject({ estimate: 2 / 3, pairs: 3, strata: 2, documents: 4 })
  expect(found!.correlated).toBeNull()
})

describe('what is measured', () => {
  test('every token of the text is in a row, and nothing is left on the engine', () => {
    expect(leaks).toBe(0)
    const { rows, claim } = measured[0]!
    expect(claim.concept).toBe('cue=0')
    const tokens = (part: string) => rows.filter(row => row.part === part).reduce((sum, { count }) => sum + count, 0)
    expect(tokens('discovery')).toBeGreaterThan(500)
    expect(tokens('validation')).toBeGreaterThan(500)
  })

  test('a concept that is the token itself has nothing to compare', () => {
    const [found] = association.judge(measured, contractSettings)
    expect(found).toMatchObject({ withinToken: null, q: null, finding: 'no-comparison' })
    expect(found!.f1!.estimate).toBeGreaterThan(0.99)
  })

  test('the fast AUROC within token is that of the statistic', async () => {
    const [model, sae] = [fakeModel(), fakeSae({ decoder: 'untrained' })]
    const { material } = await benchOf(model, sae, fakeDataset(60), fakes)
    const { validationLabels: labels } = material.text
    const { validation } = material
    // A concept of every third token, so that tokens occur with it and without.
    const carries = conceptRows(labels, 0).map((_, row) => (row % 3 === 0 ? 1 : 0))
    const strata = tokenStrata(labels, carries)
    let compared = 0
    for (let latent = 0; latent < validation.latents; latent++) {
      const fast = aurocWithinToken(validation, latent, strata)
      const values = new Float64Array(carries.length)
      const fired = new Set<number>()
      for (let e = validation.offsets[latent]!; e < validation.offsets[latent + 1]!; e++) {
        const [w, position] = [validation.window[e]!, validation.position[e]!]
        values[labels.rowStart[w]! + position - 1] = validation.value[e]!
        fired.add(labels.windows[w]!.tokens[position]!)
      }
      const rows = labels.windows.flatMap(({ tokens }, w) =>
        [...tokens].flatMap((token, position) =>
          position > 0 && fired.has(token) ? [{ token, position, row: labels.rowStart[w]! + position - 1 }] : [],
        ),
      )
      if (rows.length === 0) continue
      const slow = stratifiedAuroc(
        {
          scores: rows.map(({ row }) => values[row]!),
          labels: rows.map(({ row }) => carries[row]!),
          strata: rows.map(({ token, position }) => stratumOf(token, position)),
          clusters: rows.map(({ row }) => row),
        },
        new Random(1),
      )
      if (slow) compared++
      if (slow) expect(fast).toBeCloseTo(slow.estimate, 10)
      else expect(fast).toBeNull()
    }
    expect(compared).toBeGreaterThan(3)
    model.dispose()
    sae.dispose()
  })
})

describe('as a study', () => {
  const made = [rowsOf(detector, weak), rowsOf(reader, weak)].map((rows, feature) => ({ rows, feature }))
  const tested = made.map(({ rows, feature }) => ({ claim: { feature }, rows, effects: [], evidence: {} }))
  keepsTheContract(association, tested as unknown as TestedLatent<AssociationRow>[], contractSettings)
})
