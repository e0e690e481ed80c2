/** Effect sizes of two proportions. */
import { checkCount, checkNumber } from '../check.ts'

/** Cohen's h = 2·asin √p₁ − 2·asin √p₂ (1988), from −π to π. */
export function cohenH(p1: number, p2: number): number {
  checkNumber('p1', p1, 0, 1)
  checkNumber('p2', p2, 0, 1)
  return 2 * Math.asin(Math.sqrt(p1)) - 2 * Math.asin(Math.sqrt(p2))
}

/** (x₁ / (n₁ − x₁)) / (x₂ / (n₂ − x₂)); null where a cell that it divides by is empty. */
export function oddsRatio(successes1: number, n1: number, successes2: number, n2: number): number | null {
  checkCount('n1', n1, 1)
  checkCount('n2', n2, 1)
  checkCount('successes1', successes1)
  checkCount('successes2', successes2)
  checkNumber('successes1', successes1, 0, n1)
  checkNumber('successes2', successes2, 0, n2)
  const below = (n1 - successes1) * successes2
  return below === 0 ? null : (successes1 * (n2 - successes2)) / below
}
