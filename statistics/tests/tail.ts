/**
 * Permutation p-values smaller than 1 / (draws + 1), by a generalised Pareto fit to the largest permuted statistics
 * (Knijnenburg, Wessels, Reinders and Shmulevich 2009).
 *
 *   p = share above the threshold × P(Y > observed − threshold)
 *
 * At most 250 exceedances are fitted; as long as Anderson and Darling's distance is worse than that of 95 % of samples
 * drawn from the fit itself, ten fewer. With ten or more permuted statistics as extreme as the observed one no fit is
 * needed and none is made.
 */
import type { Random } from '../../core/random.ts'
import { checkNumber, checkValues } from '../check.ts'
import {
  fitGeneralisedPareto,
  type GeneralisedPareto,
  generalisedParetoUpper,
  generalisedParetoValue,
} from '../distributions/generalised-pareto.ts'

export interface TailP {
  readonly p: number
  /**
   * The p that 95 % of samples drawn from the fit stay below when they are fitted themselves: what to decide by, as a fit
   * whose tail ends soon can put p far too low. Equal to p where it was counted.
   */
  readonly upper: number
  /** `tail` where the fit gave p, else the plain (1 + #{≥ observed}) / (1 + draws). */
  readonly method: 'count' | 'tail'
  readonly fit: (GeneralisedPareto & { readonly threshold: number; readonly exceedances: number }) | null
}

const [mostExceedances, fewestExceedances, fewerBy] = [250, 30, 10]
const fitChecks = 99

/**
 * The upper-tail p of `observed` among permuted statistics (larger is more extreme; give |T| for two sides). Counts
 * where the tail fits nowhere. Where the fitted tail ends below the observed value p is the upper bound, and counted where that is 0,
 * too: p is never 0.
 */
export function tailP(observed: number, permuted: ArrayLike<number>, random: Random): TailP {
  checkNumber('observed', observed)
  checkValues('permuted', permuted)
  const sorted = Float64Array.from(permuted).sort().reverse()
  let above = 0
  while (above < sorted.length && sorted[above]! >= observed) above++
  const share = (above + 1) / (sorted.length + 1)
  const counted: TailP = { p: share, upper: share, method: 'count', fit: null }
  if (above >= 10) return counted

  const most = Math.min(mostExceedances, Math.floor(sorted.length / 4))
  for (let count = most; count >= fewestExceedances; count -= fewerBy) {
    const threshold = (sorted[count - 1]! + sorted[count]!) / 2
    const exceedances = sorted.slice(0, count).map(value => value - threshold)
    const tail = fitGeneralisedPareto(exceedances)
    if (tail === null) continue
    const excess = Math.max(0, observed - threshold)
    const refitted = refit(exceedances, tail, excess, random)
    if (refitted === null) continue
    const p = (count / sorted.length) * generalisedParetoUpper(excess, tail)
    const upper = Math.max(p, (count / sorted.length) * refitted)
    if (!(upper > 0)) return counted
    return { p: p > 0 ? p : upper, upper, method: 'tail', fit: { ...tail, threshold, exceedances: count } }
  }
  return counted
}

/**
 * P(Y > excess) at the 95 % point of samples drawn from the fit and fitted themselves; null where the values lie farther
 * from their fit than 95 % of those samples from theirs.
 */
function refit(exceedances: Float64Array, tail: GeneralisedPareto, excess: number, random: Random): number | null {
  const distance = andersonDarling(exceedances, tail)
  const chances: number[] = []
  let farther = 1
  for (let check = 0; check < fitChecks; check++) {
    const sample = exceedances.map(() => generalisedParetoValue(1 - random.uniform(), tail))
    const own = fitGeneralisedPareto(sample)
    if (own === null || andersonDarling(sample, own) >= distance) farther++
    chances.push(own === null ? 1 : generalisedParetoUpper(excess, own))
  }
  if (farther / (fitChecks + 1) <= 0.05) return null
  return chances.sort((a, b) => a - b)[Math.ceil(0.95 * fitChecks) - 1]!
}

/** A² = −n − Σ (2i − 1)/n · (ln F(y₍ᵢ₎) + ln(1 − F(y₍ₙ₊₁₋ᵢ₎))); values beyond the fit's end count as at it. */
function andersonDarling(values: Float64Array, tail: GeneralisedPareto): number {
  const n = values.length
  const upper = Float64Array.from(values).sort()
  for (let i = 0; i < n; i++) {
    upper[i] = Math.min(1 - 1e-12, Math.max(1e-12, generalisedParetoUpper(upper[i]!, tail)))
  }
  let sum = 0
  for (let i = 0; i < n; i++) sum += ((2 * i + 1) / n) * (Math.log1p(-upper[i]!) + Math.log(upper[n - 1 - i]!))
  return -n - sum
}
