/** Hand examples of effect sizes. Values of other libraries: `cases.test.ts`. */
import { describe, expect, test } from 'vitest'
import { cliffDelta, pairedDelta, probabilityOfSuperiority, rankBiserial } from './dominance.ts'
import { cohenDVariance, hedgesGVariance, pairedDVariance } from './effect-variance.ts'
import { randomEffects } from './pooling.ts'
import { cohenH, oddsRatio } from './proportions.ts'

test('dominance counts pairs, ties half', () => {
  // Of 3 × 2 pairs 3 are above, 1 is equal, 2 are below.
  expect(probabilityOfSuperiority([1, 2, 4], [2, 0])).toBeCloseTo(3.5 / 6 + 1 / 6, 14)
  expect(cliffDelta([1, 2, 4], [2, 0])).toBeCloseTo(3 / 6, 14)
  expect(cliffDelta([5, 6], [1, 2])).toBe(1)
  expect(pairedDelta([3, -1, 0, 2])).toBe(1 / 4)
  expect(rankBiserial([3, -1, 0, 2])).toBeCloseTo((3 - 1 + 2) / 6, 14)
})

test('variances of d, g and d_z', () => {
  expect(cohenDVariance(0.5, 10, 10)).toBeCloseTo(0.2 + 0.25 / 40, 14)
  expect(hedgesGVariance(0.5, 10, 10)).toBeCloseTo((1 - 3 / 71) ** 2 * (0.2 + 0.25 / 40), 14)
  expect(pairedDVariance(1, 8)).toBeCloseTo(1 / 8 + 1 / 16, 14)
})

test('proportions', () => {
  expect(cohenH(1, 0)).toBeCloseTo(Math.PI, 14)
  expect(oddsRatio(8, 10, 2, 10)).toBeCloseTo(16, 12)
})

describe('pooling', () => {
  test('equal effects have no heterogeneity and the fixed effect', () => {
    const pooled = randomEffects([2, 2, 2], [1, 0.5, 0.25])
    expect(pooled).toMatchObject({ cochranQ: 0, i2: 0, tau2: 0, heterogeneityP: 1 })
    expect(pooled.estimate).toBeCloseTo(2, 14)
    expect(pooled.standardError).toBeCloseTo(Math.sqrt(1 / 7), 14)
  })

  test('by hand: effects 0 and 4 with variance 1', () => {
    // Q = 2·2² = 8, df 1, τ² = 7 / (2 − 2/2) = 7, I² = 7/8, error √(8/2).
    const pooled = randomEffects([0, 4], [1, 1])
    expect(pooled).toMatchObject({ estimate: 2, cochranQ: 8, tau2: 7, i2: 7 / 8, standardError: 2 })
  })
})
