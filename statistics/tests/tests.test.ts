/** Claims about the tests that resample, fit a tail or look early. Values of other libraries: `cases.test.ts`. */
import { describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { normalCdf } from '../distributions/normal.ts'
import { uniformity } from '../drift/kolmogorov.ts'
import { errorSpending } from './error-spending.ts'
import { maxT } from './max-t.ts'
import { signFlip } from './permutation.ts'
import { stratifiedPermutation } from './stratified.ts'
import { tailP } from './tail.ts'
import { jonckheereTerpstra } from './trend.ts'

describe('sign flips', () => {
  test('with a claimed sign need half the p of two sides, and with the wrong sign find nothing', () => {
    const differences = [0.5, 0.2, 0.9, -0.1, 0.4, 0.3]
    const p = (alternative: 'greater' | 'less') => signFlip(differences, new Random(0), 1, alternative).p
    expect(p('greater')).toBe(2 / 64) // all positive, or only .1 negative
    expect(p('less')).toBe(63 / 64)
  })
})

describe('labels permuted within strata', () => {
  // The strata differ by 10, and all of one label: between them lies the difference, within them none.
  const values = [0, 1, 2, 10, 11, 12, 10.5, 11.5]
  const labels = [0, 0, 1, 1, 1, 0, 1, 1]
  const strata = ['a', 'a', 'a', 'b', 'b', 'b', 'b', 'b']

  test('a difference between strata is none within them', () => {
    const pooled = stratifiedPermutation(values, labels, new Array(8).fill('all'), new Random(0))
    expect(pooled.exact).toBe(true)
    expect(stratifiedPermutation(values, labels, strata, new Random(0)).p).toBeGreaterThan(pooled.p)
  })

  test('strata with one label say nothing', () => {
    const { p, arrangements } = stratifiedPermutation([1, 2, 3], [1, 1, 0], ['a', 'a', 'b'], new Random(0))
    expect([p, arrangements]).toEqual([1, 1])
  })

  test('sampled p-values agree with exact ones', () => {
    const random = new Random(4)
    const twelve = Array.from({ length: 12 }, (_, i) => random.normal() + (i % 2) * 0.8)
    const labels = twelve.map((_, i) => i % 2)
    const exact = stratifiedPermutation(twelve, labels, new Array(12).fill(0), random)
    expect(exact).toMatchObject({ exact: true, arrangements: 924 })
    // Strata of equal values change no sum, but their arrangements pass the exact limit.
    const more = new Array(20).fill(3)
    const strata = [...new Array(12).fill(0), ...more.map((_, i) => 1 + Math.floor(i / 4))]
    const sampled = stratifiedPermutation(
      [...twelve, ...more],
      [...labels, ...more.map((_, i) => i % 2)],
      strata,
      random,
    )
    expect(sampled.exact).toBe(false)
    expect(exact.p).toBeLessThan(0.5)
    expect(Math.abs(sampled.p - exact.p)).toBeLessThan(0.015)
  })
})

describe('max-T', () => {
  test('keeps the family-wise error of ten hypotheses that hang together, where single tests do not', () => {
    let [family, single] = [0, 0]
    for (let run = 0; run < 200; run++) {
      const random = new Random(5, run)
      const common = random.normals(10)
      const differences = Array.from({ length: 10 }, () => common.map(value => value + random.normal()))
      const { stepDown } = maxT(differences, random)
      if (Math.min(...stepDown) <= 0.05) family++
      if (differences.some(values => signFlip(values, random).p <= 0.05)) single++
    }
    expect(family / 200).toBeLessThan(0.09)
    expect(single / 200).toBeGreaterThan(0.15)
  })

  test('one hypothesis is a sign-flip test, and step-down is never above single-step', () => {
    const differences = [0.5, 0.2, 0.9, -0.1, 0.4, 0.3]
    expect(maxT([differences], new Random(0)).singleStep).toEqual([4 / 64])
    const { singleStep, stepDown } = maxT([differences, [1, -1, 1, -1, 1, -0.9], [3, 2, 4, 3, 2, 3]], new Random(0))
    stepDown.forEach((p, i) => {
      expect(p).toBeLessThanOrEqual(singleStep[i]!)
    })
    // The second, with its signs alternating, is the more extreme in two patterns: 2 of its own and 2 of those.
    expect(Math.min(...singleStep)).toBe(4 / 64)
  })
})

describe('p-values from the tail', () => {
  /** |mean| / √Σx² of sign-flipped differences, and its exact p. */
  function flips(seed: number, shift: number): { observed: number; exact: number; permuted: Float64Array } {
    const random = new Random(seed)
    const differences = Float64Array.from({ length: 20 }, () => random.normal() + shift)
    const sum = () => Math.abs(differences.reduce((a, b) => a + (random.bits() & 0x80000000 ? b : -b), 0))
    const observed = Math.abs(differences.reduce((a, b) => a + b))
    const permuted = Float64Array.from({ length: 5000 }, sum)
    return { observed, exact: signFlip(differences, random).p, permuted }
  }

  test('are about those of all 2²⁰ patterns from 5,000 of them, and seldom above the upper bound', () => {
    const ratios: number[] = []
    let [beyond, fitted] = [0, 0]
    for (let seed = 0; seed < 40; seed++) {
      const { observed, exact, permuted } = flips(seed, 0.85)
      const { p, upper, method } = tailP(observed, permuted, new Random(seed))
      if (method !== 'tail') continue
      fitted++
      ratios.push(p / exact)
      if (exact > upper) beyond++
      expect(exact, `seed ${seed}: above ${upper}`).toBeLessThan(3 * upper)
    }
    expect(fitted).toBeGreaterThan(15)
    expect(beyond / fitted).toBeLessThan(0.15)
    const median = ratios.sort((a, b) => a - b)[ratios.length >> 1]!
    expect(median).toBeGreaterThan(0.5)
    expect(median).toBeLessThan(2)
  })

  test('count where ten or more are as extreme, and are never 0', () => {
    const permuted = Float64Array.from({ length: 1000 }, (_, i) => i)
    expect(tailP(900, permuted, new Random(0))).toEqual({
      p: 101 / 1001,
      upper: 101 / 1001,
      method: 'count',
      fit: null,
    })
    // The fitted tail of values with an upper end ends before the observed one.
    expect(tailP(1e6, permuted, new Random(0)).p).toBeGreaterThan(0)
    expect(tailP(5, new Array(50).fill(1), new Random(0))).toEqual({
      p: 1 / 51,
      upper: 1 / 51,
      method: 'count',
      fit: null,
    })
  })
})

describe('error spending', () => {
  test('gives the published boundaries of five even looks at two-sided .05', () => {
    const looks = errorSpending([0.2, 0.4, 0.6, 0.8, 1])
    const published = [4.8769, 3.3569, 2.6803, 2.2898, 2.031] // Reboussin, DeMets, Kim and Lan 2000
    looks.forEach(({ boundary }, i) => {
      expect(boundary).toBeCloseTo(published[i]!, 3)
    })
    expect(looks.at(-1)!.spent).toBeCloseTo(0.05, 12)
  })

  test('a single look at the end is the plain test', () => {
    expect(errorSpending([1])[0]!.boundary).toBeCloseTo(1.959963985, 8)
    expect(normalCdf(-errorSpending([1], { sides: 1, alpha: 0.01 })[0]!.boundary!)).toBeCloseTo(0.01, 10)
  })

  test('keeps α over walks that stop at the first crossing', () => {
    const looks = errorSpending([0.25, 0.5, 0.75, 1], { alpha: 0.1 })
    let crossed = 0
    for (let run = 0; run < 4000; run++) {
      const random = new Random(8, run)
      let walk = 0
      const stopped = looks.some(({ time, boundary }) => {
        walk += random.normal() / 2
        return Math.abs(walk) / Math.sqrt(time) >= boundary!
      })
      if (stopped) crossed++
    }
    expect(Math.abs(crossed / 4000 - 0.1)).toBeLessThan(0.015)
  })

  test('refuses looks that go back', () => {
    expect(() => errorSpending([0.5, 0.4])).toThrow('times[1] must lie between 0.5 and 1')
  })
})

test('null data give a uniform trend test', () => {
  const ps = Array.from({ length: 400 }, (_, run) => {
    const random = new Random(6, run)
    return jonckheereTerpstra([random.normals(6), random.normals(5), random.normals(7)], random, { draws: 199 })
  })
  expect(uniformity(ps.map(({ p }) => p)).p).toBeGreaterThan(0.01)
  expect(uniformity(ps.map(({ permutationP }) => permutationP)).p).toBeGreaterThan(0.001)
})
