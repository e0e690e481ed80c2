/**
 * How often one value lies above another, whatever their unit: probability of superiority (Grissom and Kim 2005) and
 * Cliff's δ (Cliff 1993).
 *
 *   superiority = P(X > Y) + P(X = Y) / 2,  δ = P(X > Y) − P(X < Y) = 2·superiority − 1
 *
 * For pairs, X > Y reads as a positive difference and X = Y as a difference of 0.
 */
import { checkValues } from '../check.ts'
import { midranks } from '../descriptive.ts'

/** P(X > Y) + P(X = Y) / 2 of two independent groups; the AUROC of X against Y. */
export function probabilityOfSuperiority(x: ArrayLike<number>, y: ArrayLike<number>): number {
  checkValues('x', x)
  checkValues('y', y)
  const both = new Float64Array(x.length + y.length)
  both.set(x)
  both.set(y, x.length)
  const ranks = midranks(both)
  let sum = 0
  for (let i = 0; i < x.length; i++) sum += ranks[i]!
  return (sum - (x.length * (x.length + 1)) / 2) / (x.length * y.length)
}

/** Cliff's δ of two independent groups, from −1 to 1. */
export function cliffDelta(x: ArrayLike<number>, y: ArrayLike<number>): number {
  return 2 * probabilityOfSuperiority(x, y) - 1
}

/** The share of pairs whose difference is positive, differences of 0 counting half. */
export function pairedSuperiority(differences: ArrayLike<number>): number {
  return (pairedDelta(differences) + 1) / 2
}

/** Share of positive less share of negative differences, from −1 to 1. */
export function pairedDelta(differences: ArrayLike<number>): number {
  checkValues('differences', differences)
  let sum = 0
  for (let i = 0; i < differences.length; i++) sum += Math.sign(differences[i]!)
  return sum / differences.length
}

/** Rank-biserial correlation of pairs (Kerby 2014): signed ranks of |δ|, zeros left out; null where all are zero. */
export function rankBiserial(differences: ArrayLike<number>): number | null {
  checkValues('differences', differences)
  const nonzero = Array.from(differences).filter(difference => difference !== 0)
  if (nonzero.length === 0) return null
  const ranks = midranks(nonzero.map(Math.abs))
  let signed = 0
  let total = 0
  for (let i = 0; i < nonzero.length; i++) {
    signed += Math.sign(nonzero[i]!) * ranks[i]!
    total += ranks[i]!
  }
  return signed / total
}
