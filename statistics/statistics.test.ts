import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Random } from '../core/random.ts'
import { auroc, deLong } from './association/auroc.ts'
import { clusteredAuroc } from './association/clustered-auroc.ts'
import { mean, midranks, orderStatistic, pearson, quantile, spearman, standardDeviation } from './descriptive.ts'
import { erfc, normalCdf, normalQuantile } from './distributions/normal.ts'
import { logGamma, noncentralStudentCdf, studentCdf, studentQuantile } from './distributions/student.ts'
import { kolmogorovQ, uniformity } from './drift/kolmogorov.ts'
import { cohenD, hedgesCorrection, hedgesG, pairedD, pairedG } from './effects/effect-size.ts'
import { welchInterval } from './intervals/difference.ts'
import { pairedMeanRatio, subsetMeanRatio } from './intervals/mean-ratio.ts'
import { wilson } from './intervals/proportion.ts'
import { benjaminiHochberg } from './multiplicity/false-discovery.ts'
import { ascendingOrder } from './order.ts'
import { tost } from './tests/equivalence.ts'
import { rankP, signFlip, signFlipFrom } from './tests/permutation.ts'

const paired = [0.5, 0.2, 0.9, -0.1, 0.4, 0.3]

describe('descriptive', () => {
  test('mean and standard deviation of six differences', () => {
    expect(mean(paired)).toBeCloseTo(0.3666667, 6)
    expect(standardDeviation(paired)).toBeCloseTo(0.332666, 6)
  })

  test('quantiles are linear between neighbours', () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5)
    expect(quantile([1, 2, 3], 1)).toBe(3)
    expect(quantile([], 0.5)).toBeNaN()
  })

  test('a value at a place of the order is that of the sorted values, with ties and in any order', () => {
    const random = new Random('order')
    for (const different of [1, 3, 1000]) {
      const values = Float32Array.from({ length: 101 }, () => random.int(different) - different / 2)
      const sorted = values.slice().sort()
      expect(sorted.map((_, place) => orderStatistic(values, place))).toEqual(sorted)
    }
    const many = new Random('many').normals(5000).map(value => Math.round(4 * value) / 4)
    const sorted = many.slice().sort()
    for (const place of [0, 1, 40, 2500, 4900, 4999]) expect(orderStatistic(many, place)).toBe(sorted[place])
    const most = Float32Array.from(new Random('selection').normals(10_000))
    const ordered = Float32Array.from(most).sort()
    const equal = most.map(value => Math.round(value))
    for (const place of [9999, 9990, 9700, 8800, 5000]) {
      expect(orderStatistic(most, place)).toBe(ordered[place])
      expect(orderStatistic(ordered, place)).toBe(ordered[place])
      expect(orderStatistic(equal, place)).toBe(Math.round(ordered[place]!))
    }
    for (const missing of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
      expect(() => orderStatistic(Float32Array.from(most).fill(missing, 77, 78), 9900)).toThrow('77')
    expect(orderStatistic([3, 1, 2], 2)).toBe(3)
    expect(() => orderStatistic([3, 1, 2], 3)).toThrow('no place 3 among 3')
  })

  test('places in ascending order are those of a stable sort', () => {
    const random = new Random('places')
    for (const n of [0, 1, 15, 16, 17, 100, 1000]) {
      const values = Float64Array.from({ length: n }, () => random.int(n / 2) - n / 4)
      const sorted = Array.from(values, (_, i) => i).sort((a, b) => values[a]! - values[b]!)
      expect([...ascendingOrder(values)]).toEqual(sorted)
    }
  })

  test('ties share their mean rank', () => expect([...midranks([2, 1, 2, 0])]).toEqual([3.5, 2, 3.5, 1]))

  test('correlations', () => {
    expect(pearson([1, 2, 3], [2, 4, 6])).toBeCloseTo(1, 12)
    expect(spearman([1, 2, 3, 4], [1, 10, 100, 90])).toBeCloseTo(0.8, 12)
    expect(pearson([1, 1], [1, 2])).toBeNaN()
  })
})

describe('effect sizes', () => {
  test('Cohen d and Hedges g of {1…5} and {3…7}', () => {
    expect(cohenD([1, 2, 3, 4, 5], [3, 4, 5, 6, 7])).toBeCloseTo(-1.264911, 6)
    expect(hedgesG([1, 2, 3, 4, 5], [3, 4, 5, 6, 7])).toBeCloseTo(-1.1425, 6)
    expect(hedgesCorrection(8)).toBeCloseTo(28 / 31, 12)
  })

  test('d_z and g of paired differences', () => {
    expect(pairedD(paired)).toBeCloseTo(1.1022066, 6)
    expect(pairedG(paired)).toBeCloseTo(0.928174, 6)
  })
})

describe('distributions', () => {
  test('the normal distribution at known points', () => {
    expect(normalCdf(0)).toBe(0.5)
    expect(normalCdf(1.959963984540054)).toBeCloseTo(0.975, 14)
    expect(normalQuantile(0.975)).toBeCloseTo(1.959963984540054, 12)
    expect(normalQuantile(1e-10) / -6.361340902404056).toBeCloseTo(1, 12)
    expect(erfc(3) / 2.209049699858544e-5).toBeCloseTo(1, 12)
    expect(normalQuantile(0)).toBe(-Infinity)
    expect(normalQuantile(1)).toBe(Infinity)
    expect(normalQuantile(2)).toBeNaN()
  })

  test('quantile and distribution function are inverse', () =>
    fc.assert(
      fc.property(fc.double({ min: 1e-12, max: 1 - 1e-12, noNaN: true }), p => {
        expect(Math.abs(normalCdf(normalQuantile(p)) / p - 1)).toBeLessThan(1e-10)
      }),
      { seed: 1 },
    ))

  test('Student’s t at table values', () => {
    expect(studentQuantile(0.975, 1)).toBeCloseTo(12.7062047, 6)
    expect(studentQuantile(0.975, 5)).toBeCloseTo(2.5705818, 6)
    expect(studentQuantile(0.05, 30)).toBeCloseTo(-1.6972609, 6)
    expect(studentCdf(0, 7)).toBeCloseTo(0.5, 14)
    expect(studentQuantile(0.975, 1e6)).toBeCloseTo(1.95997, 4)
    expect(Math.exp(logGamma(6))).toBeCloseTo(120, 9)
    expect(Math.exp(2 * logGamma(0.5))).toBeCloseTo(Math.PI, 11)
  })

  test('noncentral t without noncentrality is Student’s t', () => {
    for (const df of [1, 2, 3, 10, 200])
      for (const t of [-2, 0.5, 3]) expect(noncentralStudentCdf(t, df, 0)).toBeCloseTo(studentCdf(t, df), 4)
  })

  test('Kolmogorov’s Q', () => {
    expect(kolmogorovQ(1)).toBeCloseTo(0.2699997, 7)
    expect(kolmogorovQ(1.36)).toBeCloseTo(0.0494859, 7)
  })
})

describe('tests', () => {
  test('sign flips of six differences with one negative reach 4 of 64', () => {
    expect(signFlip(paired, new Random(0))).toEqual({ p: 0.0625, exact: true, patterns: 64 })
    expect(signFlip(paired.map(Math.abs), new Random(0)).p).toBe(2 / 64)
  })

  test.each(['two-sided', 'greater', 'less'] as const)(
    'sign flips (%s) are those that counting every pattern finds',
    alternative => {
      const random = new Random('patterns')
      for (let n = 0; n < 9; n++) {
        // Whole numbers, so that many sums are equal.
        const differences = Array.from({ length: n }, () => random.int(5) - 2)
        const observed = random.int(7) - 3
        let count = 0
        for (let pattern = 0; pattern < 2 ** n; pattern++) {
          const sum = differences.reduce((total, value, i) => total + (pattern & (1 << i) ? value : -value), 0)
          if (
            alternative === 'greater'
              ? sum >= observed
              : alternative === 'less'
                ? sum <= observed
                : Math.abs(sum) >= Math.abs(observed)
          )
            count++
        }
        const found = signFlipFrom(observed, differences, random, 1, alternative)
        expect(found).toEqual({ p: count / 2 ** n, exact: true, patterns: 2 ** n })
      }
    },
  )

  test('sampled sign flips agree with exact ones', () => {
    const random = new Random(3)
    const twenty = Float64Array.from({ length: 20 }, () => random.normal() + 0.35)
    const exact = signFlip(twenty, random)
    const sampled = signFlip([...twenty, 0], random, 40_000) // a zero changes no sum but passes the exact limit
    expect(exact.exact).toBe(true)
    expect(sampled.exact).toBe(false)
    expect(Math.abs(sampled.p - exact.p)).toBeLessThan(0.01)
  })

  test('the rank of an effect among its controls', () => {
    expect(rankP(3, [1, -2, 0.5])).toBe(1 / 4)
    expect(rankP(1.5, [1, -2, 0.5])).toBe(2 / 4)
    expect(rankP(1.5, [1, -2, 0.5], 'greater')).toBe(1 / 4)
    expect(rankP(-1.5, [1, -2, 0.5], 'less')).toBe(2 / 4)
    expect(rankP(0, [0, 0, 0])).toBe(1)
  })

  test('Benjamini–Hochberg q-values, in any order', () => {
    const p = [0.005, 0.009, 0.019, 0.022, 0.051, 0.101, 0.361, 0.387]
    const q = [0.036, 0.036, 0.044, 0.044, 0.0816, 0.134667, 0.387, 0.387]
    benjaminiHochberg(p).forEach((value, i) => {
      expect(value).toBeCloseTo(q[i]!, 6)
    })
    expect(benjaminiHochberg([...p].reverse())[7]).toBeCloseTo(0.036, 6)
    expect(benjaminiHochberg([])).toEqual([])
    // Ranks among controls often are α j / m exactly, and must then pass at α.
    expect(benjaminiHochberg([0.035, 0.04, 0.05])).toEqual([0.05, 0.05, 0.05])
  })

  test('null differences give uniform p-values', () => {
    const ps = Array.from({ length: 1000 }, (_, i) => {
      const random = new Random(1, i)
      return signFlip(random.normals(15), random).p
    })
    expect(uniformity(ps).p).toBeGreaterThan(0.01)
  }, 60_000)

  test('exchangeable controls give uniform rank p-values, and a shifted effect does not', () => {
    const ps = (shift: number) =>
      Array.from({ length: 1000 }, (_, i) => {
        const random = new Random(2, i)
        return rankP(random.normal() + shift, random.normals(99)) - random.uniform() / 100
      })
    expect(uniformity(ps(0)).p).toBeGreaterThan(0.01)
    expect(uniformity(ps(0.7)).p).toBeLessThan(1e-6)
  })

  test('TOST finds a small effect equivalent to none and a large one not', () => {
    const small = [0.01, -0.02, 0.015, 0.005, -0.01, 0.02]
    expect(tost(small, 0.1).p).toBeLessThan(0.001)
    expect(tost(small, 0.005).p).toBeGreaterThan(0.05)
    expect(tost(paired, 0.3).p).toBeGreaterThan(0.5)
    expect(tost([1], 2).p).toBe(1)
    // By hand: mean .3666667, error .1358104, margin 1: t = (.3666667 − 1) / .1358104 = −4.66337 with 5 df.
    expect(tost(paired, 1).p).toBeCloseTo(studentCdf(-4.66337, 5), 6)
  })
})

describe('intervals', () => {
  test('Wilson’s interval of 8 in 10', () => {
    const [low, high] = wilson(8, 10)
    expect(low).toBeCloseTo(0.4901625, 6)
    expect(high).toBeCloseTo(0.9433178, 6)
    expect(wilson(0, 0)).toEqual([0, 1])
  })

  test.each([4, 12])('the ratio of some to all is exactly 1 where all values are equal, %d of 16 inside', count => {
    const inside = Array.from({ length: 16 }, (_, i) => (i < count ? 1 : 0))
    const { ratio, low, high } = subsetMeanRatio(new Array(16).fill(-1), inside)
    expect([ratio, low, high]).toEqual([1, 1, 1])
  })

  test('the ratio of some to all is one of means, and its interval covers as it should', () => {
    expect(subsetMeanRatio([1, 2, 3], [0, 1, 1])).toEqual({ ratio: 2.5 / 2, low: null, high: null })
    expect(subsetMeanRatio([1, 2, 3], [1, 1, 1])).toEqual({ ratio: 1, low: 1, high: 1 })
    expect(subsetMeanRatio([1, 2, 3], [0, 0, 0])).toEqual({ ratio: null, low: null, high: null })
    // A mean that may be 0 gives a ratio that may be anything.
    expect(subsetMeanRatio([1, -1.1, 2, -2], [1, 1, 0, 0])).toMatchObject({ low: null, high: null })
    // Truth: within 2 on average, outside 1, a quarter inside: 2 / 1.25.
    const runs = 400
    let covered = 0
    for (let run = 0; run < runs; run++) {
      const random = new Random('mean ratio', run)
      const inside = Array.from({ length: 16 }, (_, i) => (i % 4 === 0 ? 1 : 0))
      const values = inside.map(one => 1 + one + 0.5 * random.normal())
      const { low, high } = subsetMeanRatio(values, inside)
      if (low! <= 1.6 && 1.6 <= high!) covered++
    }
    expect(covered / runs).toBeGreaterThan(0.92)
    expect(covered / runs).toBeLessThan(0.98)
  })

  test('bounds of the ratio are where its test of another ratio is just not refused', () => {
    const [values, inside] = [
      [2, 2.5, 1.4, 1, 1.3, 0.8, 1.1],
      [1, 1, 1, 0, 0, 0, 0],
    ]
    const { low, high } = subsetMeanRatio(values, inside)
    // By hand: means 1.96667 and 1.05, variances 0.303333 and 0.0433333, w = 3 / 7.
    const distance = (r: number) => {
      const w = 3 / 7
      const error = Math.sqrt((1 - r * w) ** 2 * (0.303333333 / 3) + (r * (1 - w)) ** 2 * (0.043333333 / 4))
      return (1.966666667 - r * (w * 1.966666667 + (1 - w) * 1.05)) / error
    }
    expect(distance(low!)).toBeCloseTo(-distance(high!), 6)
    expect(distance(low!)).toBeGreaterThan(studentQuantile(0.975, 5))
    expect(distance(low!)).toBeLessThan(studentQuantile(0.975, 2))
  })

  test('the ratio of means of the same documents covers as it should, and is exact where one is a multiple of the other', () => {
    const exact = pairedMeanRatio([3, 4, 5], [6, 8, 10])
    for (const value of [exact.ratio, exact.low, exact.high]) expect(value).toBeCloseTo(0.5, 6)
    expect(pairedMeanRatio([1, 2], [1, -1])).toEqual({ ratio: null, low: null, high: null })
    expect(pairedMeanRatio([1, 2, 3], [5, -4, 1])).toMatchObject({ low: null, high: null })
    const runs = 600
    let covered = 0
    for (let run = 0; run < runs; run++) {
      const random = new Random('paired ratio', run)
      const b = Array.from({ length: 8 }, () => 1 + 0.4 * random.normal())
      const a = b.map(value => 0.3 + 0.4 * value + 0.3 * random.normal())
      const { low, high } = pairedMeanRatio(a, b)
      if (low === null || (low <= 0.7 && 0.7 <= high!)) covered++
    }
    expect(covered / runs).toBeGreaterThan(0.93)
    expect(covered / runs).toBeLessThan(0.97)
  })

  test('the difference of independent means has Welch’s interval', () => {
    const [a, b] = [
      [0.3, -0.1, 0.8, 0.45, 0.2],
      [1.2, 0.9, 1.05, 1.4, 0.7, 0.95, 1.3],
    ]
    // scipy.stats.ttest_ind(a, b, equal_var=False)
    const { df, low, high } = welchInterval(a, b)
    expect(df).toBeCloseTo(7.021043469026253, 10)
    expect(low).toBeCloseTo(-1.1538331765715395, 10)
    expect(high).toBeCloseTo(-0.3290239662856038, 10)
    expect(welchInterval(a, b, 0.9).low).toBeCloseTo(-1.071906156869562, 10)
    expect(welchInterval([1, 1], [2, 2])).toMatchObject({ estimate: -1, low: null, high: null })
    expect(welchInterval([1], [2, 3])).toMatchObject({ estimate: -1.5, low: null, high: null })
  })
})

describe('AUROC', () => {
  const scores = [0, 0, 1, 3, 0, 0, 0, 1]
  const labels = [1, 1, 1, 1, 0, 0, 0, 0]

  test('ties count half', () => expect(auroc(scores, labels)).toBe(0.65625))

  test('is NaN without positives or negatives', () => {
    expect(auroc([1, 2], [1, 1])).toBeNaN()
    expect(auroc([1, 2], [0, 0])).toBeNaN()
  })

  test('DeLong’s variance by its structural components', () => {
    // V10 = share of negatives below each positive: {.375, .375, .875, 1}; V01 = share of positives above: {.75, .75, .75, .375}.
    const { estimate, standardError } = deLong(scores, labels)
    expect(estimate).toBe(0.65625)
    const s10 = standardDeviation([0.375, 0.375, 0.875, 1]) ** 2
    const s01 = standardDeviation([0.75, 0.75, 0.75, 0.375]) ** 2
    expect(standardError).toBeCloseTo(Math.sqrt(s10 / 4 + s01 / 4), 12)
  })

  test('documents that repeat themselves widen the interval over documents but not DeLong’s', () => {
    const random = new Random(4)
    const documents: number[] = []
    const s: number[] = []
    const y: number[] = []
    for (let document = 0; document < 20; document++) {
      const label = document % 2
      const score = random.normal() + label
      for (let token = 0; token < 50; token++) {
        documents.push(document)
        s.push(score)
        y.push(label)
      }
    }
    const naive = deLong(s, y)
    const clustered = clusteredAuroc(s, y, documents)!
    expect(clustered.estimate).toBeCloseTo(naive.estimate, 12)
    expect(clustered.high! - clustered.low!).toBeGreaterThan(2 * (naive.high - naive.low))
  })
})
