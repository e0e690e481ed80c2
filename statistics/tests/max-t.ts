/**
 * Max-T (Westfall and Young 1993, algorithm 2.8 step-down): family-wise p-values of many means over the same documents,
 * whatever their dependence. A sign is flipped for a whole document, in every hypothesis at once, and each hypothesis is
 * held against the largest |t| of those not ranked above it.
 */
import type { Random } from '../../core/random.ts'
import { checkCount, checkParallel, checkValues } from '../check.ts'

/** Up to this many documents every one of the 2ⁿ sign patterns is counted. */
const exactLimit = 12

export interface MaxT {
  /** Student's t of each hypothesis; null where its differences do not vary. */
  readonly t: readonly (number | null)[]
  /** Family-wise p of each, against the largest |t| of the whole family. Never 0. */
  readonly singleStep: readonly number[]
  /** The same step by step: never above the single step. */
  readonly stepDown: readonly number[]
  readonly exact: boolean
  readonly patterns: number
}

/**
 * `differences[h][i]` is hypothesis h's difference in document i; at least one hypothesis and two documents, two-sided.
 * Equal differences that are not 0 count as the strongest evidence a document can give, differences of 0 as none.
 */
export function maxT(differences: readonly ArrayLike<number>[], random: Random, draws = 10_000): MaxT {
  checkCount('the number of hypotheses', differences.length, 1)
  checkCount('draws', draws, 1)
  differences.forEach((values, h) => {
    checkValues(`differences[${h}]`, values, 2)
    checkParallel('differences[0]', differences[0]!, `differences[${h}]`, values)
  })
  const n = differences[0]!.length
  const squares = differences.map(values => Array.from(values).reduce((sum, v) => sum + v * v, 0))
  const signs = new Int8Array(n).fill(1)
  // Under sign flips t rises with |Σ δ|, as Σ δ² is fixed: the squared cosine with the signs says the same.
  const share = (h: number) => {
    if (squares[h] === 0) return 0
    let sum = 0
    for (let i = 0; i < n; i++) sum += signs[i]! * differences[h]![i]!
    return (sum * sum) / (squares[h]! * n)
  }
  const hypotheses = differences.map((_, h) => h)
  const observed = hypotheses.map(share)
  const ranked = [...hypotheses].sort((a, b) => observed[b]! - observed[a]!)
  const overall = new Float64Array(hypotheses.length)
  const successive = new Float64Array(hypotheses.length)
  const take = () => {
    let largest = 0
    for (let place = ranked.length - 1; place >= 0; place--) {
      const h = ranked[place]!
      largest = Math.max(largest, share(h))
      if (largest >= observed[h]! - 1e-12) successive[h]!++
    }
    for (const h of hypotheses) if (largest >= observed[h]! - 1e-12) overall[h]!++
  }

  const exact = n <= exactLimit
  const patterns = exact ? 2 ** n : draws + 1
  take()
  for (let pattern = 1; pattern < patterns; pattern++) {
    if (exact) {
      const flip = 31 - Math.clz32(pattern & -pattern) // Gray code: each pattern differs from the last by one sign
      signs[flip] = -signs[flip]!
    } else for (let i = 0; i < n; i++) signs[i] = random.bits() & 0x80000000 ? 1 : -1
    take()
  }

  const stepDown = Array.from(successive, count => count / patterns)
  for (let place = 1; place < ranked.length; place++) {
    stepDown[ranked[place]!] = Math.max(stepDown[ranked[place]!]!, stepDown[ranked[place - 1]!]!)
  }
  const t = differences.map((values, h) => {
    const sum = Array.from(values).reduce((a, b) => a + b, 0)
    const rest = 1 - observed[h]!
    return rest <= 1e-14 || squares[h] === 0 ? null : Math.sign(sum) * Math.sqrt((observed[h]! * (n - 1)) / rest)
  })
  return { t, singleStep: Array.from(overall, count => count / patterns), stepDown, exact, patterns }
}
