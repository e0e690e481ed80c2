import { describe, expect, test } from 'vitest'
import { Random } from '../core/random.ts'
import { fewestRounds, isSlower, median, medianAtMost } from './noise.ts'

describe('what a median is at most', () => {
  test('is the largest of seven values, and nothing is known from six', () => {
    expect(fewestRounds).toBe(7)
    expect(medianAtMost([3, 1, 2, 7, 5, 6, 4])).toBe(7)
    expect(medianAtMost([1, 2, 3, 4, 5, 6])).toBe(Number.POSITIVE_INFINITY)
    expect(medianAtMost([])).toBe(Number.POSITIVE_INFINITY)
  })

  test('leaves as many above as the sign test allows: two of fifteen, four of twenty', () => {
    // P(Bin(15, 1/2) ≤ 2) = 121 / 32768 and P(≤ 3) = 576 / 32768; P(Bin(20, 1/2) ≤ 4) = 6196 / 2²⁰ and P(≤ 5) = 21700 / 2²⁰.
    expect(medianAtMost(Array.from({ length: 15 }, (_, i) => i))).toBe(12)
    expect(medianAtMost(Array.from({ length: 20 }, (_, i) => i))).toBe(15)
  })

  test('is below the true median in no more than one of a hundred draws', () => {
    const random = new Random(1)
    let wrong = 0
    for (let draw = 0; draw < 4000; draw++) {
      const values = Array.from({ length: 9 }, () => random.uniform() ** 3)
      if (medianAtMost(values) < 0.125) wrong++
    }
    expect(wrong / 4000).toBeLessThan(0.01)
    expect(wrong).toBeGreaterThan(0)
  })

  test('and the median itself is the middle one', () => {
    expect(median([5, 1, 9])).toBe(5)
    expect(median([4, 1, 9, 5])).toBe(4)
  })
})

describe('what is slower than its plain version', () => {
  const around = (middle: number) => [0.97, 1.02, 0.99, 1.3, 0.7, 1.01, 1, 0.98, 1.04].map(noise => middle * noise)

  test('is what takes a third longer, through the noise of some rounds, by either clock', () => {
    expect(isSlower([around(0.7), around(1)], 0.05)).toBe(true)
    expect(isSlower([around(1), around(0.7)], 0.05)).toBe(true)
  })

  test('is not what is as fast, nor what one round in three was slow of', () => {
    expect(isSlower([around(1), around(1)], 0.05)).toBe(false)
    expect(isSlower([[0.2, 1.1, 1.2, 0.3, 1.1, 1.2, 0.2, 1.1, 1.2]], 0.05)).toBe(false)
  })

  test('is nothing that was timed too seldom', () => expect(isSlower([[0.1, 0.1, 0.1]], 0.05)).toBe(false))
})
