/** Claims about power that tie one way of computing it to another. Values of other libraries: `cases.test.ts`. */
import { describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { designEffect, effectiveSize, intraclassCorrelation } from '../intervals/design-effect.ts'
import { signFlip } from '../tests/permutation.ts'
import { aurocSampleSize, aurocVariance } from './sample-size.ts'
import { simulatedDetectable, simulatedPower } from './simulation.ts'
import {
  detectableNoncentrality,
  pairedDetectable,
  pairedSampleSize,
  pairedTPower,
  twoSampleDetectable,
  twoSampleSize,
  twoSampleTPower,
} from './t-power.ts'

describe('t-tests', () => {
  test('sample sizes agree with t-exact tables', () => {
    expect(pairedSampleSize(0.3)).toBe(90)
    expect(twoSampleSize(0.5)).toBe(64)
    expect(() => pairedSampleSize(0)).toThrow('dz must be')
    const n = pairedSampleSize(0.3, { sides: 'one-sided' })
    expect(pairedTPower(0.3, n, { sides: 'one-sided' })).toBeGreaterThanOrEqual(0.8)
    expect(pairedTPower(0.3, n - 1, { sides: 'one-sided' })).toBeLessThan(0.8)
  })

  test('the detectable effect of 90 documents is the d_z they are enough for', () => {
    expect(pairedDetectable(90)).toBeLessThanOrEqual(0.3)
    expect(pairedDetectable(89)).toBeGreaterThan(0.3)
    expect(pairedDetectable(1)).toBeNull()
  })

  test('a planted effect of known size is found at about the nominal power', () => {
    const runs = 400
    let found = 0
    for (let run = 0; run < runs; run++) {
      const random = new Random(9, run)
      const values = Float64Array.from({ length: 34 }, () => random.normal() + 0.5)
      if (signFlip(values, random, 2000).p < 0.05) found++
    }
    expect(Math.abs(found / runs - pairedTPower(0.5, 34))).toBeLessThan(0.06)
  })

  test('the detectable effect is found with the wanted power', () => {
    for (const sides of ['one-sided', 'two-sided'] as const) {
      expect(pairedTPower(pairedDetectable(12, { sides, power: 0.9 })!, 12, { sides })).toBeCloseTo(0.9, 7)
      expect(twoSampleTPower(twoSampleDetectable(5, 30, { sides })!, 5, 30, { sides })).toBeCloseTo(0.8, 7)
    }
  })

  test('a claimed sign needs a smaller effect, and a power of α none', () => {
    expect(pairedDetectable(16, { sides: 'one-sided' })!).toBeLessThan(pairedDetectable(16)!)
    expect(detectableNoncentrality(15, { power: 0.05 })).toBeNull()
    expect(pairedTPower(0, 12)).toBeCloseTo(0.05, 10)
  })
})

describe('simulation', () => {
  const random = new Random(1)
  const pilot = Float64Array.from({ length: 200 }, () => random.normal())
  const centre = pilot.reduce((a, b) => a + b) / pilot.length
  const deviation = Math.sqrt(pilot.reduce((sum, v) => sum + (v - centre) ** 2, 0) / pilot.length)
  const study = { pilot, n: 15, seed: 3, runs: 600, test: (v: Float64Array, r: Random) => signFlip(v, r, 400).p }

  test('agrees with the formula for a normal pilot', () => {
    const { power, low, high } = simulatedPower(0.8 * deviation, { ...study, runs: 300 })
    const formula = pairedTPower(0.8, 15)
    expect(low).toBeLessThan(formula)
    expect(high).toBeGreaterThan(formula)
    expect(simulatedPower(0.8 * deviation, { ...study, runs: 300 })).toMatchObject({ power })
  })

  test('finds the detectable effect of the formula', () => {
    const quick = { ...study, n: 10, runs: 200, test: (v: Float64Array, r: Random) => signFlip(v, r).p }
    const found = simulatedDetectable(quick)!
    expect(found / deviation / pairedDetectable(10)!).toBeGreaterThan(0.85)
    expect(found / deviation / pairedDetectable(10)!).toBeLessThan(1.15)
    expect(simulatedPower(found, quick).power).toBeGreaterThanOrEqual(0.8)
  })

  test('a pilot that does not vary, and a test that finds nothing, have none', () => {
    expect(simulatedDetectable({ ...study, pilot: [2, 2, 2] })).toBeNull()
    expect(simulatedDetectable({ ...study, test: () => 1 })).toBeNull()
  })
})

describe('clusters', () => {
  test('windows that repeat their document are worth one', () => {
    const values = [1, 1, 1, 4, 4, 4, 2, 2, 2]
    const documents = [0, 0, 0, 1, 1, 1, 2, 2, 2]
    expect(intraclassCorrelation(values, documents)).toBe(1)
    expect(effectiveSize(9, 3, 1)).toBe(3)
    expect(designEffect(8, 0)).toBe(1)
  })

  test('documents that are opposite within have a negative correlation', () =>
    expect(intraclassCorrelation([-1, 1, 1, -1], [0, 0, 1, 1])).toBe(-1))
})

test('the least number of positives tells an AUROC from ½ and one fewer does not', () => {
  const n = aurocSampleSize(0.7)!
  const reaches = (n: number) =>
    1.959964 * Math.sqrt(aurocVariance(0.5, n, n)) + 0.841621 * Math.sqrt(aurocVariance(0.7, n, n)) <= 0.2
  expect([reaches(n), reaches(n - 1)]).toEqual([true, false])
})
