import { describe, expect, test } from 'vitest'
import { UserError } from '../../core/errors.ts'
import { Random } from '../../core/random.ts'
import { studentQuantile } from '../distributions/student.ts'
import { meanRatio } from './ratio.ts'

/** a and b by the definition: the ratios r for which t of mean(a) − r · mean(b) is not significant, by search. */
function bySearch(a: readonly number[], b: readonly number[], t: number): [number, number] {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const error = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1) / values.length
  const inside = (r: number) => Math.abs(mean(a) - r * mean(b)) <= t * Math.sqrt(error(a) + r * r * error(b))
  const edge = (from: number, to: number) => {
    let [near, far] = [from, to]
    for (let i = 0; i < 200; i++) {
      const middle = (near + far) / 2
      if (inside(middle)) near = middle
      else far = middle
    }
    return near
  }
  const ratio = mean(a) / mean(b)
  return [edge(ratio, ratio - 100), edge(ratio, ratio + 100)]
}

describe('the ratio of two means', () => {
  const a = [1.1, 0.7, 1.6, 0.9, 1.2]
  const b = [2.2, 1.8, 2.5, 2.1, 1.9, 2.4]

  test('has the bounds at which the difference stops being significant', () => {
    const { ratio, low, high } = meanRatio(a, b, 0.95)
    expect(ratio).toBeCloseTo(1.1 / 2.15, 12)
    // Variances 0.1150/5 and r² · 0.0750/6 make 5.1359 degrees of freedom by Welch's formula.
    const [from, to] = bySearch(a, b, studentQuantile(0.975, 5.1359))
    expect(low).toBeCloseTo(from, 5)
    expect(high).toBeCloseTo(to, 5)
  })

  test('has no bounds where the divisor may be 0, or with two values', () => {
    expect(meanRatio(a, [1, -1, 0.5, -0.4])).toEqual({ ratio: expect.any(Number), low: null, high: null })
    expect(meanRatio([1, 2], b).low).toBe(null)
    expect(meanRatio(a, [1, -1]).ratio).toBe(null)
    expect(() => meanRatio([], b)).toThrow(UserError)
  })

  test('holds the true ratio about as often as it says, with eight and with sixteen values', () => {
    for (const n of [8, 16]) {
      let held = 0
      const runs = process.env.PIPELINE_LONG ? 4000 : 600
      for (let run = 0; run < runs; run++) {
        const random = new Random('ratio', n, run)
        const draw = (mean: number, deviation: number) =>
          Array.from({ length: n }, () => mean + deviation * random.normal())
        const { low, high } = meanRatio(draw(0.5, 0.4), draw(1, 0.6))
        if (low === null || high === null) held++
        else if (low <= 0.5 && 0.5 <= high) held++
      }
      expect(held / runs).toBeGreaterThan(0.925)
      expect(held / runs).toBeLessThan(0.985)
    }
  })
})
