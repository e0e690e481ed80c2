import { expect, test } from 'vitest'
import { smallestReliableDifference } from '../../statistics/intervals/reliable-difference.ts'
import { judgeReconstruction, type StratifiedRow } from './reconstruction.ts'

/** Two tokens with ‖x − x̂‖² `error` in all, a spread of 10, losses of 1 as they are and 2 spliced, 5 by any ablation. */
const row = (document: number, band: string, error: number, language: string): StratifiedRow => ({
  ...{ document: `d${document}`, window: `d${document}`, band, strata: [`language=${language}`] },
  ...{
    tokens: 2,
    predicted: 2,
    spread: 10,
    error,
    guess: 4,
    product: 5,
    cosine: 1,
    ratio: 1.5,
    nonzero: 2,
    norm: 8,
    guessNorm: 6,
  },
  ...{ active: 6, size: 3, ceClean: 2, ceSpliced: 4, ceZero: 10, ceMean: 10, ceResample: 10 },
  ...{ klSpliced: 1, klZero: 4, klMean: 4, klResample: 4, latents: [document % 2], counts: [2] },
})
const rows = [0, 1, 2, 3, 4, 5].flatMap(d => [
  row(d, '1-7', 1, d < 3 ? 'en' : 'fr'),
  row(d, '8+', d < 3 ? 3 : 5, d < 3 ? 'en' : 'fr'),
])
const source = { latents: 3, width: 4, meanFrom: 'discovery' }

test('figures of the whole, of strata and of bands, by hand', () => {
  const found = judgeReconstruction(rows, source, 1)
  // 6 · 1 + 3 · 3 + 3 · 5 = 30 of 120.
  expect(found).toMatchObject({
    windows: 6,
    rows: 24,
    fvu: 0.25,
    l0: 3,
    l1: 1.5,
    l2Ratio: 0.75,
    l2In: 4,
    l2Out: 3,
    relativeBias: 0.8,
    dead: 1,
  })
  expect(found).toMatchObject({ ceRecoveredZero: 0.75, ceRecoveredResample: 0.75, klRecoveredMean: 0.75 })
  expect(found.density).toEqual([0.5, 0.5, 0])
  expect(found.strata).toMatchObject([
    { stratum: 'language=en', documents: 3, tokens: 12, fvu: 0.2 },
    { stratum: 'language=fr', documents: 3, tokens: 12, fvu: 0.3 },
  ])
  expect(found.positions).toMatchObject([
    { positions: '1-7', fvu: 0.1 },
    { positions: '8+', fvu: 0.4 },
  ])
})

test('a difference is reliable beyond what five parts of the documents differ by', () => {
  const { reliability } = judgeReconstruction(rows, source, 1)
  const { folds, smallestReliableDifference: least } = reliability!.fvu!
  expect(folds).toHaveLength(5)
  const mean = folds.reduce((sum: number, value) => sum + value!, 0) / 5
  const s = Math.sqrt(folds.reduce((sum: number, value) => sum + (value! - mean) ** 2, 0) / 4)
  // t(.975, 4) = 2.776445.
  expect(least).toBeCloseTo((2.776445 * Math.SQRT2 * s) / Math.sqrt(5), 6)
  expect(least).toBeGreaterThan(0)
  expect(reliability!.ceRecoveredZero!.smallestReliableDifference).toBe(0)
  expect(judgeReconstruction(rows.slice(0, 8), source, 1).reliability).toBeNull()
})

test('repetitions that share observations ask for larger differences', () => {
  // s = 1, ρ = ¼: √(1/3 + 1/4); t(.975, 2) = 4.302653.
  expect(smallestReliableDifference([1, 2, 3], { overlap: 0.25 })).toBeCloseTo(
    4.302653 * Math.sqrt(2 * (1 / 3 + 1 / 4)),
    5,
  )
  expect(smallestReliableDifference([1, 2])).toBeNull()
})
