/** Intervals for proportions. */
import { checkNumber } from '../check.ts'
import { normalQuantile } from '../distributions/normal.ts'

/** Wilson's score interval for `successes` of `n`; [0, 1] when n is 0. */
export function wilson(successes: number, n: number, level = 0.95): [low: number, high: number] {
  checkNumber('successes', successes, 0, n)
  if (n === 0) return [0, 1]
  const z = normalQuantile(1 - (1 - level) / 2)
  const p = successes / n
  const centre = p + (z * z) / (2 * n)
  const half = z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n))
  const scale = 1 + (z * z) / n
  return [Math.max(0, (centre - half) / scale), Math.min(1, (centre + half) / scale)]
}
