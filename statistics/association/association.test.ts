/** Claims about scores, labels and strata. Values of other libraries: `cases.test.ts`. */
import { describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { uniformity } from '../drift/kolmogorov.ts'
import { deLong } from './auroc.ts'
import { averagePrecision } from './average-precision.ts'
import { clusteredAuroc } from './clustered-auroc.ts'
import { mantelHaenszel } from './mantel-haenszel.ts'
import { conditionalInformation, informationTest, mutualInformation } from './mutual-information.ts'

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

  test('has an estimate and no bounds where all of a class are in one cluster, or the classes are apart', () => {
    expect(clusteredAuroc([1, 2, 3, 4], [1, 1, 0, 0], [0, 0, 1, 2])).toMatchObject({ estimate: 0, standardError: null })
    expect(clusteredAuroc([1, 2, 3, 4], [0, 0, 1, 1], [0, 1, 2, 3])).toMatchObject({
      estimate: 1,
      low: null,
      high: null,
    })
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
