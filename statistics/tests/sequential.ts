/**
 * The rank of an effect among controls that are drawn one after the other, until enough of them reach as far (Besag and
 * Clifford 1991).
 *
 *   p = h / l where the h-th control at least as extreme is the l-th one, else (1 + g) / (K + 1), g < h of all K
 *
 * Where the effect and its controls are exchangeable, P(p ≤ h / l) = h / l: the h-th one comes no earlier than l exactly where
 * at most h − 1 of the first l − 1 reach as far, of which each number from 0 to l − 1 is as likely. So stopping costs no level,
 * however the order came about, if it does not depend on the controls' effects.
 */
import { checkCount, checkNumber, checkValues } from '../check.ts'
import type { Alternative } from './permutation.ts'

export interface SequentialP {
  readonly p: number
  /** Controls that p was read from, the first ones. */
  readonly used: number
  /** Whether enough reached as far. */
  readonly stopped: boolean
}

/** The sequential rank of an effect among controls in the order in which they were drawn; they may end early where it stops. */
export function sequentialP(
  effect: number,
  controls: ArrayLike<number>,
  exceedances: number,
  alternative: Alternative = 'two-sided',
): SequentialP {
  checkNumber('effect', effect)
  checkValues('controls', controls, 0)
  checkCount('exceedances', exceedances, 1)
  const reach = (value: number) =>
    alternative === 'two-sided' ? Math.abs(value) : alternative === 'less' ? -value : value
  const own = reach(effect)
  let found = 0
  for (let i = 0; i < controls.length; i++) {
    if (reach(controls[i]!) >= own) found++
    if (found === exceedances) return { p: exceedances / (i + 1), used: i + 1, stopped: true }
  }
  return { p: (1 + found) / (controls.length + 1), used: controls.length, stopped: false }
}
