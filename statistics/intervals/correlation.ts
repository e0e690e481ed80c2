/** Fisher's interval of a correlation (1921): normal in z = atanh r with standard error 1 / √(n − 3). */
import { checkBetween, checkCount, checkNumber } from '../check.ts'
import { normalQuantile } from '../distributions/normal.ts'

/** The interval of Pearson's r over n pairs; null for n ≤ 3 and for |r| = 1, where z is not defined. */
export function fisherInterval(r: number, n: number, level = 0.95): [low: number, high: number] | null {
  checkNumber('r', r, -1, 1)
  checkCount('n', n)
  checkBetween('level', level, 0, 1)
  if (n <= 3 || Math.abs(r) === 1) return null
  const half = normalQuantile(1 - (1 - level) / 2) / Math.sqrt(n - 3)
  return [Math.tanh(Math.atanh(r) - half), Math.tanh(Math.atanh(r) + half)]
}
