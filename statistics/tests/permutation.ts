/** Permutation tests: sign flips of paired differences, and the rank of an effect among its controls. */
import type { Random } from '../../core/random.ts'
import { checkNumber, checkValues } from '../check.ts'

/** Which effects count as at least as extreme as the observed one. */
export type Alternative = 'two-sided' | 'greater' | 'less'

/** Up to this many differences every one of the 2ⁿ sign patterns is counted. */
const exactLimit = 20

export interface SignFlip {
  readonly p: number
  readonly exact: boolean
  /** Sign patterns counted, the observed one among them. */
  readonly patterns: number
}

/**
 * Paired sign-flip test of a zero mean: under the null each document's difference is as likely −δ as δ. Exact for
 * n ≤ 20, else (1 + #{T* as extreme}) / (1 + draws). Never 0; 1 for an empty array.
 */
export function signFlip(
  differences: ArrayLike<number>,
  random: Random,
  draws = 10_000,
  alternative: Alternative = 'two-sided',
): SignFlip {
  checkValues('differences', differences, 0)
  let observed = 0
  for (let i = 0; i < differences.length; i++) observed += differences[i]!
  return signFlipFrom(observed, differences, random, draws, alternative)
}

/** The same of an observed sum that is not that of the differences, where these are scaled to vary as it does. */
export function signFlipFrom(
  observed: number,
  differences: ArrayLike<number>,
  random: Random,
  draws = 10_000,
  alternative: Alternative = 'two-sided',
): SignFlip {
  checkNumber('observed', observed)
  checkValues('differences', differences, 0)
  const n = differences.length
  let sum = 0
  let scale = Math.abs(observed)
  for (let i = 0; i < n; i++) {
    sum += differences[i]!
    scale += Math.abs(differences[i]!)
  }
  // Sums of the same numbers in another order differ by rounding: equal within it counts as equal.
  const slack = 1e-12 * scale
  const extreme =
    alternative === 'greater'
      ? (sum: number) => sum >= observed - slack
      : alternative === 'less'
        ? (sum: number) => sum <= observed + slack
        : (sum: number) => Math.abs(sum) >= Math.abs(observed) - slack
  if (n <= exactLimit) {
    const patterns = 2 ** n
    const signs = new Int8Array(n).fill(1)
    let count = extreme(sum) ? 1 : 0
    for (let pattern = 1; pattern < patterns; pattern++) {
      // Gray code: each pattern differs from the last by one sign.
      const flip = 31 - Math.clz32(pattern & -pattern)
      sum -= 2 * signs[flip]! * differences[flip]!
      signs[flip] = -signs[flip]!
      if (extreme(sum)) count++
    }
    return { p: count / patterns, exact: true, patterns }
  }
  let count = 1
  for (let draw = 0; draw < draws; draw++) {
    let sum = 0
    for (let i = 0; i < n; i++) sum += random.bits() & 0x80000000 ? differences[i]! : -differences[i]!
    if (extreme(sum)) count++
  }
  return { p: count / (draws + 1), exact: false, patterns: draws + 1 }
}

/**
 * The rank of an effect among K controls' effects: (1 + #{controls at least as extreme}) / (K + 1). Exact when, under
 * the null, the effect and its controls are exchangeable; its smallest value is 1 / (K + 1).
 */
export function rankP(effect: number, controls: ArrayLike<number>, alternative: Alternative = 'two-sided'): number {
  checkNumber('effect', effect)
  checkValues('controls', controls, 0)
  let count = 1
  for (let i = 0; i < controls.length; i++) {
    const control = controls[i]!
    if (
      alternative === 'greater'
        ? control >= effect
        : alternative === 'less'
          ? control <= effect
          : Math.abs(control) >= Math.abs(effect)
    )
      count++
  }
  return count / (controls.length + 1)
}
