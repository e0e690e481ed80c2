import { describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { fakeDataset, fakeModel, fakeSae } from '../../latents/fake.fixture.ts'
import { benchOf, contractSettings, studied } from './bench.fixture.ts'
import { negatives } from './negatives.ts'

const { tested: measured } = studied(negatives, () => {
  const settings = { latents: [0, 3], documents: 4, claims: 'concept', minimumSeparation: 0 }
  return benchOf(fakeModel(), fakeSae(), fakeDataset(120), settings)
})

/** 16 documents, each with four tokens of the concept and ten without it, four of which are the same words. */
function found(fires: (carries: boolean, word: boolean) => number) {
  const random = new Random('negatives')
  const value = (carries: boolean, word: boolean) =>
    Math.fround(Math.max(0, fires(carries, word) + 0.2 * random.normal()))
  const many = (count: number, carries: boolean, word: boolean) =>
    Array.from({ length: count }, () => value(carries, word))
  const rows = Array.from({ length: 16 }, (_, d) => {
    const [sameToken, other] = [many(4, false, true), many(6, false, false)]
    const own = { document: `d${d}`, window: `d${d}`, positives: many(4, true, true) }
    return { ...own, negatives: [...sameToken, ...other], sameToken, nearest: sameToken.slice(0, 1) }
  })
  return negatives.judge([{ ...measured[0]!, rows }], contractSettings)[0]!
}

describe('hard negatives', () => {
  test('a word that carries the concept only sometimes: a detector of the word tells all tokens, and not these', () => {
    const { all, sameToken, told } = found((_, word) => (word ? 1 : 0))
    expect(all).toBeGreaterThan(0.75)
    expect(sameToken.auroc).toBeCloseTo(0.5, 0)
    expect(sameToken.auroc).toBeLessThan(0.6)
    expect(sameToken.told).toBe(false)
    expect(told).toBe(false)
  })

  test('a latent that reads the context tells both', () => {
    const { all, sameToken, nearest, told } = found(carries => (carries ? 1 : 0))
    expect(all).toBeGreaterThan(0.98)
    expect(sameToken.told).toBe(true)
    expect(nearest.told).toBe(true)
    expect(nearest.share).toBeGreaterThan(0.9)
    expect(told).toBe(true)
  })

  test('the nearest are a tenth of the tokens without the concept, and those it shares words with are its own', () => {
    const rows = measured[0]!.rows
    const count = (kind: 'positives' | 'negatives' | 'sameToken' | 'nearest') =>
      rows.reduce((sum, row) => sum + row[kind].length, 0)
    expect(count('nearest') / count('negatives')).toBeCloseTo(0.1, 1)
    // In this language a cue always carries its concept.
    expect(count('sameToken')).toBe(0)
    expect(count('positives')).toBeGreaterThan(20)
    expect(negatives.judge(measured, contractSettings)[0]!.sameToken).toMatchObject({ auroc: null, told: null })
  })
})
