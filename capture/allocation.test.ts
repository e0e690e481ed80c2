import { describe, expect, test } from 'vitest'
import { parseConfig } from '../core/config.ts'
import { checkAllocation, inclusionProbabilities } from './allocation.ts'
import { CaptureConfig } from './config.ts'
import { traceRatios } from './pilot.ts'
import { selectTokens } from './sampling.ts'
import type { Strata } from './strata.ts'

const values = [{ language: 'en' }, { language: 'fi' }, { language: 'sv' }]
const population = [900, 90, 10]
const strata = { values, population }
const rows = (probabilities: number[]) => probabilities.map((p, i) => p * population[i]!)
const close = (found: number[], expected: number[]) =>
  found.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i]!, 9)
  })

describe('rows are divided among strata', () => {
  test('proportionally', () =>
    close(rows(inclusionProbabilities(strata, { allocation: 'proportional', tokens: 100 })), [90, 9, 1]))

  test('equally, what a small stratum lacks going to the others', () =>
    close(rows(inclusionProbabilities(strata, { allocation: 'equal', tokens: 100 })), [45, 45, 10]))

  test('by the root of their sizes', () =>
    close(
      rows(inclusionProbabilities(strata, { allocation: 'square-root', tokens: 60 })),
      // √900 : √90 : √10 = √90 : √9 : 1
      [Math.sqrt(90), 3, 1].map(root => (60 * root) / (4 + Math.sqrt(90))),
    ))

  test('by size × spread, a stratum that is exhausted leaving its rest to the others', () =>
    // N·S = 900, 360, 100: of 200 rows 132, 53, 14.7, but sv has 10; 190 rows are left for 900 : 360.
    close(rows(inclusionProbabilities(strata, { allocation: 'neyman', tokens: 200 }, [1, 4, 10])), [
      (190 * 900) / 1260,
      (190 * 360) / 1260,
      10,
    ]))

  test('by given counts, which may name several strata at once', () => {
    const fields = [
      { language: 'en', position: '0-7' },
      { language: 'en', position: '8+' },
      { language: 'fi', position: '0-7' },
    ]
    const counts = [
      { stratum: { language: 'en' }, tokens: 99 },
      { stratum: { language: 'fi', position: '0-7' }, tokens: 10 },
    ]
    close(rows(inclusionProbabilities({ values: fields, population }, { allocation: 'counts', counts })), [90, 9, 10])
  })

  test('to the last row where all are asked for, whatever the allocation', () =>
    expect(inclusionProbabilities(strata, { allocation: 'neyman', tokens: 1000 }, [1, 2, 3])).toEqual([1, 1, 1]))
})

describe('counts are refused', () => {
  const given =
    (...counts: { stratum: Record<string, string>; tokens: number }[]) =>
    () =>
      inclusionProbabilities(strata, { allocation: 'counts', counts })
  const all = { stratum: {}, tokens: 50 }
  test.each([
    [
      'that name no stratum',
      given({ stratum: { language: 'de' }, tokens: 5 }),
      'names language de, but no stratum has',
    ],
    ['that name an unknown field', given({ stratum: { tongue: 'fi' }, tokens: 5 }), 'names tongue fi, but no stratum'],
    ['that name one twice', given({ stratum: { language: 'fi' }, tokens: 5 }, all), 'the stratum language fi twice'],
    [
      'that ask for more than there is',
      given({ stratum: { language: 'sv' }, tokens: 11 }),
      '11 tokens of language sv, but there are 10',
    ],
    ['that leave one out', given({ stratum: { language: 'en' }, tokens: 5 }), 'no number for the stratum language fi'],
  ])('%s', (_, attempt, message) => expect(attempt).toThrow(message))
})

test.each([
  [{ allocation: 'counts' }, 'counts is not set'],
  [{ counts: [{ stratum: {}, tokens: 1 }] }, 'counts is set, but allocation is proportional'],
  [
    { allocation: 'counts', counts: [{ stratum: {}, tokens: 1 }], tokens: 5 },
    'tokens is 5, but with allocation counts',
  ],
  [{ allocation: 'equal' }, 'allocation is equal, but tokens is not set'],
  [{ allocation: 'equal', tokens: 5, pilotTokens: 9 }, 'pilotTokens is 9, but allocation is equal'],
])('settings that would do nothing are refused: %j', (settings, message) => {
  const config = parseConfig(CaptureConfig, { sites: ['hook_embed'], ...settings }, 'capture')
  expect(() => checkAllocation(config)).toThrow(message)
})

test('the spread of strata is the trace of their covariance, one token a stratum counting as pooled', () => {
  // Stratum 0: (0, 0), (2, 4): trace 2 + 8 = 10. Stratum 1: (1, 1), (3, 1): trace 2. Pooled (10 + 2) / 2 = 6.
  const found = traceRatios(Float32Array.of(0, 0, 2, 4, 1, 1, 3, 1, 7, 7), 2, [0, 0, 1, 1, 2], 3)
  close(found, [10 / 6, 2 / 6, 1])
})

describe('the estimates of two hundred draws', () => {
  // A population in which the value depends on the stratum, and varies most in the smallest.
  const size = [600, 300, 100]
  const spreads = [4, 1, 9]
  const windows = size.map((count, h) => ({
    place: h,
    window: {
      ...{ id: `w${h}`, index: h, split: 'train' as const },
      ...{ tokens: new Int32Array(count), documents: new Uint32Array(count), offsets: new Int32Array(count) },
    },
    positions: Uint16Array.from({ length: count }, (_, i) => i),
    strata: new Uint16Array(count).fill(h),
  }))
  const population: Strata = {
    values: size.map((_, h) => ({ part: String(h) })),
    population: size,
    windows,
    windowAt: place => windows[place]!.window,
  }
  const valueAt = (h: number, i: number) => h * 5 + spreads[h]! * Math.sin(1 + i * 12.9898)
  const truth = windows.flatMap(({ positions }, h) => [...positions].map(i => valueAt(h, i)))
  const mean = truth.reduce((a, b) => a + b) / truth.length

  function draws(allocation: 'proportional' | 'equal' | 'square-root' | 'neyman') {
    const probabilities = inclusionProbabilities(population, { allocation, tokens: 150 }, spreads)
    return Array.from({ length: 200 }, (_, seed) => {
      let [weighted, total, stratified] = [0, 0, 0]
      for (const { strata, positions } of selectTokens(population, probabilities, seed)) {
        const h = strata[0]!
        const own = [...positions].map(i => valueAt(h, i))
        const sum = own.reduce((a, b) => a + b, 0)
        weighted += sum / probabilities[h]!
        total += own.length / probabilities[h]!
        stratified += (size[h]! / 1000) * (sum / own.length)
      }
      return { weighted: weighted / total, stratified }
    })
  }
  const spread = (values: number[]) => {
    const own = values.reduce((a, b) => a + b) / values.length
    return Math.sqrt(values.reduce((sum, v) => sum + (v - own) ** 2, 0) / (values.length - 1))
  }

  test.each(['proportional', 'equal', 'square-root', 'neyman'] as const)('agree with the full pass: %s', allocation => {
    const found = draws(allocation).map(({ weighted }) => weighted)
    const error = found.reduce((a, b) => a + b) / found.length - mean
    expect(Math.abs(error)).toBeLessThan((3.5 * spread(found)) / Math.sqrt(200) + 0.01)
    const unweighted = [...size.keys()].reduce((sum, h) => sum + h * 5, 0) / 3
    if (allocation === 'equal') expect(Math.abs(unweighted - mean)).toBeGreaterThan(1)
  })

  test('vary least under Neyman’s allocation', () => {
    const of = (allocation: Parameters<typeof draws>[0]) =>
      spread(draws(allocation).map(({ stratified }) => stratified))
    const neyman = of('neyman')
    expect(neyman).toBeLessThan(0.9 * of('proportional'))
    expect(neyman).toBeLessThan(0.92 * of('equal'))
  })
})
