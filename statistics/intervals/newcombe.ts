/** Newcombe's interval of a difference of two independent proportions (1998, method 10): from Wilson's two intervals. */
import { checkBetween, checkCount, checkNumber } from '../check.ts'
import { wilson } from './proportion.ts'

export interface ProportionDifference {
  readonly estimate: number
  readonly low: number
  readonly high: number
}

/** p₁ − p₂ with low = d − √((p₁ − l₁)² + (u₂ − p₂)²), high = d + √((u₁ − p₁)² + (p₂ − l₂)²); n₁, n₂ ≥ 1. */
export function newcombe(
  successes1: number,
  n1: number,
  successes2: number,
  n2: number,
  level = 0.95,
): ProportionDifference {
  checkBetween('level', level, 0, 1)
  checkCount('n1', n1, 1)
  checkCount('n2', n2, 1)
  checkCount('successes1', successes1)
  checkCount('successes2', successes2)
  checkNumber('successes1', successes1, 0, n1)
  checkNumber('successes2', successes2, 0, n2)
  const p1 = successes1 / n1
  const p2 = successes2 / n2
  const [low1, high1] = wilson(successes1, n1, level)
  const [low2, high2] = wilson(successes2, n2, level)
  return {
    estimate: p1 - p2,
    low: p1 - p2 - Math.hypot(p1 - low1, high2 - p2),
    high: p1 - p2 + Math.hypot(high1 - p1, p2 - low2),
  }
}
