/** Claims about scores, labels and strata. Values of other libraries: `cases.test.ts`. */

import { describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { uniformity } from '../drift/kolmogorov.ts'
import { auroc, deLong } from './auroc.ts'
import { averagePrecision } from './average-precision.ts'
import { clusteredAuroc } from './clustered-auroc.ts'
import { bestThreshold, detection } from './detection.ts'
import { cohenKappa } from './kappa.ts'
import { mantelHaenszel } from './mantel-haenszel.ts'
import { conditionalInformation, informationTest, mutualInformation } from './mutual-information.ts'
import { stratifiedAuroc } from './stratified-auroc.ts'

describe('AUROC with clusters', () => {
  const random = new Random(3)
  const labels = Array.from({ length: 60 }, (_, i) => i % 2)
  const scores = labels.map(label => random.normal() + label)

  test('of one value each has DeLong’s error', () => {
    const own = clusteredAuroc(scores, labels, [...scores.keys()])!
    expect(own.standardError).toBeCloseTo(deLong(scores, labels).standardError, 12)
  })

  test('does not shrink when every document is said four times', () => {
    const four = <T>(values: readonly T[]) => [...values, ...values, ...values, ...values]
    const once = clusteredAuroc(scores, labels, [...scores.keys()])!
    const repeated = clusteredAuroc(four(scores), four(labels), four([...scores.keys()]))!
    expect(repeated.standardError).toBeCloseTo(once.standardError!, 12)
    expect(deLong(four(scores), four(labels)).standardError).toBeLessThan(0.6 * once.standardError!)
  })

  test('has an estimate and no bounds where all of a class are in one cluster', () =>
    expect(clusteredAuroc([1, 2, 3, 4], [1, 1, 0, 0], [0, 0, 1, 2])).toMatchObject({
      ...{ estimate: 0, standardError: null, low: null },
    }))

  test('where the classes are apart, what k documents of each cannot exclude', () => {
    const apart = (documents: number, each = 1) => {
      const labels = Array.from({ length: documents }, (_, d) => d % 2)
      const said = labels.flatMap((label, d) => new Array<[number, number]>(each).fill([label, d]))
      return clusteredAuroc(
        said.map(([label]) => label),
        said.map(([label]) => label),
        said.map(([, d]) => d),
      )!
    }
    // Two of each: a share of 1 − √.025 at chance is not excluded; thirteen: .025^(1/13) = .753.
    expect(apart(4)).toMatchObject({ estimate: 1, high: 1 })
    expect(apart(4).low).toBeCloseTo((1 + Math.sqrt(0.025)) / 2, 12)
    expect(apart(26).low).toBeCloseTo((1 + 0.753) / 2, 3)
    expect(apart(26, 5).low).toBeCloseTo(apart(26).low!, 12)
    expect(clusteredAuroc([4, 3, 2, 1], [0, 0, 1, 1], [0, 1, 2, 3])).toMatchObject({ estimate: 0, low: 0 })
  })

  test('few positives that are all told leave room for those that are not, though negatives vary', () => {
    // Four positives of four documents above 95 of 96 negatives: the error alone says .96 to 1.
    const labels = Array.from({ length: 100 }, (_, i) => (i < 4 ? 1 : 0))
    const scores = Array.from({ length: 100 }, (_, i) => (i < 4 ? 2 : i === 99 ? 3 : i / 100))
    const found = clusteredAuroc(scores, labels, [...scores.keys()])!
    expect(found.estimate).toBeCloseTo(95 / 96, 12)
    // .025^(1/4) = .39764; 95 / 96 · .39764 + .60236 / 2.
    expect(found.low).toBeCloseTo(0.69468, 4)
  })

  test('a concept in three documents of twelve has a wide interval, however many tokens they are of', () => {
    const documents = Array.from({ length: 12 * 50 }, (_, i) => Math.floor(i / 50))
    const own = Array.from({ length: 12 }, () => 0.7 * random.normal())
    const held = documents.map(d => (d < 3 ? 1 : 0))
    const found = clusteredAuroc(
      documents.map((d, i) => own[d]! + held[i]! + random.normal()),
      held,
      documents,
    )!
    expect(found.high! - found.low!).toBeGreaterThan(0.4)
  })
})

describe('AUROC within strata', () => {
  const of = (
    scores: readonly number[],
    labels: readonly number[],
    strata: readonly number[],
    clusters: readonly (number | string)[] = [...scores.keys()],
  ) => stratifiedAuroc({ scores, labels, strata, clusters }, new Random(1))

  test('by hand: 2 of 2 pairs and 1½ of 4', () => {
    // Stratum 0: 3 against 1 and 2. Stratum 1: 5 and 2 against 5 and 4, ½ + 1 + 0 + 0.
    const found = of([3, 1, 2, 5, 2, 5, 4], [1, 0, 0, 1, 1, 0, 0], [0, 0, 0, 1, 1, 1, 1])!
    expect(found.estimate).toBeCloseTo(3.5 / 6, 14)
    expect(found).toMatchObject({ pairs: 6, strata: 2, clusters: 7 })
  })

  test('of one stratum is AUROC, and entries may stand for several', () => {
    const r = new Random(8)
    const labels = Array.from({ length: 40 }, () => r.int(2))
    const scores = labels.map(label => Math.max(0, Math.round(2 * r.normal()) + label))
    const one = new Array(40).fill(0)
    expect(of(scores, labels, one)!.estimate).toBeCloseTo(auroc(scores, labels), 12)
    const twice = stratifiedAuroc(
      { scores, labels, strata: one, clusters: [...one.keys()], counts: new Array(40).fill(2) },
      new Random(1),
    )!
    expect(twice.estimate).toBeCloseTo(auroc(scores, labels), 12)
    expect(twice.pairs).toBe(4 * of(scores, labels, one)!.pairs)
  })

  test('has no value where no stratum has both labels', () => expect(of([1, 2, 3], [1, 1, 0], [0, 0, 1])).toBeNull())

  test('a token detector tells a concept by its tokens, and nothing within a token', () => {
    let [plain, within, rejected, covered] = [0, 0, 0, 0]
    const runs = 100
    for (let run = 0; run < runs; run++) {
      const r = new Random(5, 'detector', run)
      const [scores, labels, tokens, documents]: number[][] = [[], [], [], []]
      for (let i = 0; i < 16 * 30; i++) {
        const document = Math.floor(i / 30)
        const label = document % 3 === 0 ? 1 : 0
        const token = Math.floor(20 * r.uniform() ** (label ? 3 : 1.5))
        labels!.push(label)
        tokens!.push(token)
        documents!.push(document)
        scores!.push(Math.max(0, (token < 4 ? 2 : -0.5) + r.normal()))
      }
      plain += auroc(scores!, labels!) / runs
      const found = of(scores!, labels!, tokens!, documents!)!
      within += found.estimate / runs
      if (found.p <= 0.05) rejected++
      if (found.low! <= 0.5 && found.high! >= 0.5) covered++
    }
    expect(plain).toBeGreaterThan(0.6)
    expect(within).toBeCloseTo(0.5, 1)
    expect(rejected / runs).toBeLessThan(0.1)
    expect(covered / runs).toBeGreaterThan(0.9)
  })
})

describe('average precision', () => {
  test('by hand: positives at ranks 1 and 3', () => {
    const { estimate, prevalence } = averagePrecision([4, 3, 2, 1], [1, 0, 1, 0])!
    expect(estimate).toBeCloseTo((1 + 2 / 3) / 2, 14)
    expect(prevalence).toBe(0.5)
  })

  test('of scores that are all equal is the prevalence, in any order', () =>
    expect(averagePrecision([0, 0, 0, 0], [0, 0, 0, 1])!.estimate).toBe(0.25))
})

describe('detection at a threshold', () => {
  const scores = [3, 2, 2, 0, 1, 0, 0, 0]
  const labels = [1, 1, 0, 1, 0, 0, 0, 0]
  const clusters = [0, 1, 1, 2, 2, 3, 3, 3]

  test('by hand: 2 hits of 3 that fire and 3 that hold it, among 8', () => {
    const found = detection({ scores, labels, clusters }, 2)!
    expect(found.precision).toBeCloseTo(2 / 3, 14)
    expect(found.recall.estimate).toBeCloseTo(2 / 3, 14)
    expect(found.f1.estimate).toBeCloseTo(2 / 3, 14)
    expect(found.lift!.estimate).toBeCloseTo(2 / 3 / (3 / 8), 12)
    // Haldane's halves: (2.5 · 4.5) / (1.5 · 1.5).
    expect(found.oddsRatio.estimate).toBeCloseTo(5, 12)
    expect(found.f1.low!).toBeLessThan(2 / 3)
  })

  test('the threshold is the one with the best F1, and an entry may stand for several', () => {
    // At 3: 2/4; at 2: 4/6; at 1: 4/7.
    expect(bestThreshold({ scores, labels, clusters })).toEqual({ threshold: 2, f1: 4 / 6 })
    expect(bestThreshold({ scores: [0, 0], labels: [1, 0], clusters: [0, 1] })).toBeNull()
    const counts = [1, 1, 1, 1, 1, 3]
    const few = { scores: scores.slice(0, 6), labels: labels.slice(0, 6), clusters: clusters.slice(0, 6), counts }
    expect(detection(few, 2)).toEqual(detection({ scores, labels, clusters }, 2))
    expect(averagePrecision(few.scores, few.labels, counts)).toEqual(averagePrecision(scores, labels))
  })

  test('says nothing where all or none hold the concept, and has no lift where no hit is', () => {
    expect(detection({ scores, labels: scores.map(() => 0), clusters }, 1)).toBeNull()
    expect(detection({ scores, labels, clusters }, 9)).toMatchObject({ precision: null, lift: null })
  })
})

describe('mutual information', () => {
  test('of two equal coins is ln 2, of independent ones 0', () => {
    expect(mutualInformation([0, 1, 0, 1], ['a', 'b', 'a', 'b']).plugIn).toBeCloseTo(Math.LN2, 14)
    expect(mutualInformation([0, 0, 1, 1], [0, 1, 0, 1]).plugIn).toBeCloseTo(0, 14)
  })

  test('the correction takes away what chance gives', () => {
    let [plain, corrected] = [0, 0]
    for (let run = 0; run < 400; run++) {
      const random = new Random(4, run)
      const codes = (k: number) => Array.from({ length: 100 }, () => random.int(k))
      const found = mutualInformation(codes(5), codes(3))
      plain += found.plugIn / 400
      corrected += found.corrected / 400
    }
    expect(plain).toBeGreaterThan(0.035) // (5 − 1)(3 − 1) / 200 = .04
    expect(Math.abs(corrected)).toBeLessThan(0.004)
  })

  test('a latent that only knows the token has none of the concept given the token', () => {
    const random = new Random(5)
    const token = Array.from({ length: 400 }, () => random.int(2))
    const concept = token.map(t => (random.uniform() < (t ? 0.8 : 0.2) ? 1 : 0))
    expect(informationTest(token, concept, new Array(400).fill(0), random, 199).p).toBe(1 / 200)
    expect(conditionalInformation(token, concept, token).plugIn).toBeCloseTo(0, 14)
    expect(informationTest(token, concept, token, random, 199).p).toBe(1)
  })

  test('null data give uniform p-values', () => {
    const ps = Array.from({ length: 200 }, (_, run) => {
      const random = new Random(6, run)
      const codes = (k: number) => Array.from({ length: 90 }, () => random.int(k))
      return informationTest(codes(6), codes(4), codes(2), random, 99).p
    })
    expect(uniformity(ps).p).toBeGreaterThan(0.001)
  })
})

describe('Mantel and Haenszel', () => {
  test('one table has its own odds ratio and Woolf’s error', () => {
    const { oddsRatio, logStandardError } = mantelHaenszel([{ a: 10, b: 5, c: 3, d: 12 }])
    expect(oddsRatio).toBeCloseTo((10 * 12) / (5 * 3), 12)
    expect(logStandardError).toBeCloseTo(Math.sqrt(1 / 10 + 1 / 5 + 1 / 3 + 1 / 12), 12)
  })

  test('two tables without an association give 1 where their sum has one', () => {
    const tables = [
      { a: 80, b: 20, c: 20, d: 5 },
      { a: 5, b: 20, c: 20, d: 80 },
    ]
    expect(mantelHaenszel(tables).oddsRatio).toBeCloseTo(1, 12)
    expect(mantelHaenszel([{ a: 85, b: 40, c: 40, d: 85 }]).oddsRatio).toBeGreaterThan(4)
    expect(mantelHaenszel([...tables, { a: 0, b: 0, c: 0, d: 0 }]).strata).toBe(2)
  })
})

describe("Cohen's κ", () => {
  const pairs = (table: readonly (readonly number[])[]) =>
    table.flatMap((row, i) =>
      row.flatMap((count, j) => Array.from({ length: count }, () => [i === 0, j === 0] as const)),
    )
  test.each([
    // Values of statsmodels 0.14 (cohens_kappa).
    [[20, 5], [10, 15], 0.4, 0.151092290476661, 0.6489077095233389],
    [[8, 2], [1, 1], 0.25, -0.3716081859557217, 0.8716081859557219],
    [[5, 0], [0, 7], 1, 1, 1],
  ])('of %j and %j is %d', (yes, no, kappa, low, high) => {
    const found = cohenKappa(pairs([yes, no]))
    expect(found.kappa).toBeCloseTo(kappa, 12)
    expect(found.low).toBeCloseTo(low, 12)
    expect(found.high).toBeCloseTo(high, 12)
  })
  test('is null where chance alone agrees always, and of nothing', () => {
    expect(
      cohenKappa(
        pairs([
          [5, 0],
          [0, 0],
        ]),
      ),
    ).toEqual({ kappa: null, low: null, high: null })
    expect(cohenKappa([])).toEqual({ kappa: null, low: null, high: null })
  })
})
