import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nthLargestPositive } from './select.ts'

test('the n-th largest positive value is what sorting finds, or 0 when there are fewer', () => {
  const values = fc.array(fc.float({ noNaN: true }), { maxLength: 60 })
  fc.assert(
    fc.property(values, fc.integer({ min: 1, max: 30 }), (list, count) => {
      const sorted = list.filter(value => value > 0).sort((a, b) => b - a)
      expect(nthLargestPositive(Float32Array.from(list), count)).toBe(sorted[count - 1] ?? 0)
    }),
    { seed: 1, numRuns: 500 },
  )
})

test('counts ties as often as they are there', () => {
  expect([1, 2, 3, 4].map(count => nthLargestPositive(Float32Array.of(2, 3, 2, 1), count))).toEqual([3, 2, 2, 1])
})
