import { describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { rankP } from './permutation.ts'
import { sequentialP } from './sequential.ts'

/** Every order of 0 … n − 1. */
function* orders(rest: readonly number[]): Generator<number[]> {
  if (rest.length === 0) yield []
  for (const first of rest) for (const after of orders(rest.filter(value => value !== first))) yield [first, ...after]
}

describe('the sequential rank', () => {
  test('of an effect like its controls keeps every level exactly, over all 40,320 orders of eight', () => {
    const counts = new Map<number, number>()
    for (const [effect, ...controls] of orders([0, 1, 2, 3, 4, 5, 6, 7])) {
      const { p } = sequentialP(effect!, controls, 3, 'greater')
      counts.set(p, (counts.get(p) ?? 0) + 1)
    }
    let below = 0
    for (const [p, count] of [...counts].sort(([a], [b]) => a - b)) {
      below += count
      expect(below / 40_320).toBeCloseTo(p, 12) // P(p ≤ its value) is its value
    }
    expect([...counts.keys()].sort((a, b) => a - b)[0]).toBe(1 / 8)
  })

  test('is the plain rank where nothing stops it, and is read from no control behind the one that stopped it', () => {
    const random = new Random('sequential')
    for (const alternative of ['less', 'greater', 'two-sided'] as const) {
      const controls = random.normals(99)
      const effect = random.normal()
      expect(sequentialP(effect, controls, 100, alternative)).toEqual({
        p: rankP(effect, controls, alternative),
        used: 99,
        stopped: false,
      })
      const early = sequentialP(effect, controls, 5, alternative)
      expect(early.p).toBe(5 / early.used)
      expect(sequentialP(effect, controls.slice(0, early.used), 5, alternative)).toEqual(early)
      expect(sequentialP(effect, controls.slice(0, early.used - 1), 5, alternative).stopped).toBe(false)
    }
  })

  test('saves most controls of an effect like theirs: of 99, about 33 are used until ten reach as far', () => {
    const random = new Random('cost')
    let used = 0
    for (let i = 0; i < 2000; i++) used += sequentialP(random.normal(), random.normals(99), 10, 'greater').used
    // h + h · (1/(h+1) + … + 1/K), less what no stop could save.
    expect(used / 2000).toBeGreaterThan(30)
    expect(used / 2000).toBeLessThan(36)
  })
})
