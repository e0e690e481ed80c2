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
  let scale = Math.abs(observed)
  for (let i = 0; i < n; i++) scale += Math.abs(differences[i]!)
  // Sums of the same numbers in another order differ by rounding: equal within it counts as equal.
  const slack = 1e-12 * scale
  // A pattern and its reverse have opposite sums, so that as many lie below −x as above x.
  const bound =
    (alternative === 'two-sided' ? Math.abs(observed) : alternative === 'less' ? -observed : observed) - slack
  if (n <= exactLimit) {
    const patterns = 2 ** n
    const beyond = patternsFrom(bound, differences)
    const count = alternative !== 'two-sided' ? beyond : bound <= 0 ? patterns : 2 * beyond
    return { p: count / patterns, exact: true, patterns }
  }
  const sign = alternative === 'less' ? -1 : 1
  // Both signs of each number side by side, so that a random bit is a place and no branch.
  const signed = new Float64Array(2 * n)
  for (let i = 0; i < n; i++) {
    signed[2 * i] = -differences[i]!
    signed[2 * i + 1] = differences[i]!
  }
  const words = new Uint32Array(n)
  let count = 1
  for (let draw = 0; draw < draws; draw++) {
    random.fill(words)
    let sum = 0
    for (let i = 0; i < n; i++) sum += signed[2 * i + (words[i]! >>> 31)]!
    if ((alternative === 'two-sided' ? Math.abs(sum) : sign * sum) >= bound) count++
  }
  return { p: count / (draws + 1), exact: false, patterns: draws + 1 }
}

/**
 * Sign patterns of which the sum is at least the bound: of two halves of the numbers all sums, so that 2ⁿ patterns cost the sorting of
 * 2^(n/2) sums (Horowitz and Sahni 1974).
 */
function patternsFrom(bound: number, differences: ArrayLike<number>): number {
  const middle = differences.length >> 1
  const first = patternSums(differences, 0, middle)
  const second = patternSums(differences, middle, differences.length)
  let [count, place] = [0, second.length]
  // As the sums of the first half rise, those of the second that suffice beside them begin further down.
  for (const sum of first) {
    while (place > 0 && sum + second[place - 1]! >= bound) place--
    count += second.length - place
  }
  return count
}

/** Sums of every sign pattern of a part of the numbers, ascending. */
function patternSums(differences: ArrayLike<number>, start: number, end: number): Float64Array {
  const sums = new Float64Array(2 ** (end - start))
  let known = 1
  for (let i = start; i < end; i++, known *= 2)
    for (let k = 0; k < known; k++) {
      sums[known + k] = sums[k]! - differences[i]!
      sums[k]! += differences[i]!
    }
  return sums.sort()
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
