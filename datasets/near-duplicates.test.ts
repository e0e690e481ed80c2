import { describe, expect, test } from 'vitest'
import { Random } from '../core/random.ts'
import { Looks } from './looks.fixture.ts'
import { jaccard, nearDuplicateFamilies, shinglesOf } from './near-duplicates.ts'

const options = { threshold: 0.6, shingle: 3 }

/** The plain definition: sets of shingles as texts, every pair compared, chains followed. */
function byDefinition(documents: readonly (readonly number[])[], threshold: number, length: number): number[] {
  const sets = documents.map(tokens => {
    const count = Math.max(1, tokens.length - length + 1)
    return new Set(Array.from({ length: count }, (_, i) => tokens.slice(i, i + length).join()))
  })
  const index = (a: Set<string>, b: Set<string>) => {
    const shared = [...a].filter(one => b.has(one)).length
    return shared / (a.size + b.size - shared)
  }
  const family = documents.map((_, i) => i)
  for (let changed = true; changed; ) {
    changed = false
    for (let i = 0; i < documents.length; i++)
      for (let j = 0; j < i; j++)
        if (family[i] !== family[j] && index(sets[i]!, sets[j]!) >= threshold) {
          const [from, to] = [Math.max(family[i]!, family[j]!), Math.min(family[i]!, family[j]!)]
          for (const [k, one] of family.entries()) if (one === from) family[k] = to
          changed = true
        }
  }
  return family
}

describe('near-duplicates', () => {
  test('are those that comparing every pair of shingle sets gives, chains included', async () => {
    const random = new Random('near-duplicates')
    const documents: number[][] = []
    for (let d = 0; d < 140; d++) {
      const old = d > 0 && random.uniform() < 0.6 ? documents[random.int(d)] : undefined
      const tokens = old ? [...old] : Array.from({ length: 2 + random.int(80) }, () => random.int(50))
      const changes = old ? random.int(6) : 0
      for (let i = 0; i < changes; i++) tokens[random.int(tokens.length)] = random.int(50)
      documents.push(tokens)
    }
    for (const threshold of [0.4, 0.6, 0.9]) {
      const expected = byDefinition(documents, threshold, 3)
      expect(new Set(expected).size).toBeLessThan(135)
      expect([...(await nearDuplicateFamilies(documents, { threshold, shingle: 3 }))]).toEqual(expected)
    }
  })

  test('a thousand copies of one document are one family, of the first of them', async () => {
    const copy = Array.from({ length: 60 }, (_, i) => i * 7)
    const families = await nearDuplicateFamilies([[1, 2, 3], ...Array.from({ length: 1000 }, () => copy)], options)
    expect(new Set(families)).toEqual(new Set([0, 1]))
  })

  test('a document shorter than a shingle is a shingle, and an empty one too', async () => {
    expect([...(await nearDuplicateFamilies([[1], [1, 2], [1], [], []], options))]).toEqual([0, 1, 0, 3, 3])
  })

  test('the Jaccard index of a hand example', () => {
    // abcd has the shingles abc, bcd; bcde has bcd, cde: one of three is shared.
    expect(jaccard(shinglesOf([1, 2, 3, 4], 3), shinglesOf([2, 3, 4, 5], 3))).toBeCloseTo(1 / 3, 12)
  })

  test('stops where it is told to', async () => {
    for (const looks of [0, 3, 6]) {
      const { stop } = new Looks(looks)
      await expect(nearDuplicateFamilies([[1], [2], [3], [4]], { ...options, stop })).rejects.toThrow('told to stop')
    }
  })
})
