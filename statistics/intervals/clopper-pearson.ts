/** The exact interval of a proportion (Clopper and Pearson 1934): covers at least its level at every n. */
import { checkBetween, checkCount, checkNumber } from '../check.ts'
import { betaQuantile } from '../distributions/beta.ts'

/** [B(α/2; x, n − x + 1), B(1 − α/2; x + 1, n − x)] for x `successes` of n ≥ 1. */
export function clopperPearson(successes: number, n: number, level = 0.95): [low: number, high: number] {
  checkCount('n', n, 1)
  checkCount('successes', successes)
  checkNumber('successes', successes, 0, n)
  checkBetween('level', level, 0, 1)
  const tail = (1 - level) / 2
  return [
    successes === 0 ? 0 : betaQuantile(tail, successes, n - successes + 1),
    // By symmetry, so that a bound near 1 keeps the digits of its distance from 1.
    successes === n ? 1 : 1 - betaQuantile(tail, n - successes, successes + 1),
  ]
}
