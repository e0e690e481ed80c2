/**
 * Adjusted p-values with the family they are adjusted within: a q-value without its m says nothing.
 *
 *   bh:   q₍ᵢ₎ = min over j ≥ i of m·p₍ⱼ₎ / j                 FDR, independent or positively dependent tests
 *   by:   the same times Σ 1 / i                              FDR under any dependence (Benjamini and Yekutieli 2001)
 *   holm: max over j ≤ i of (m − j + 1)·p₍ⱼ₎                  family-wise error under any dependence (Holm 1979)
 */
import { checkCount, checkNumber } from '../check.ts'
import { benjaminiHochberg } from './false-discovery.ts'

export type AdjustmentMethod = 'bh' | 'by' | 'holm'

export interface Family {
  /** What the tests have in common, in words for the person who reads the evidence. */
  readonly family: string
  readonly method: AdjustmentMethod
  /** The number of tests, m. */
  readonly size: number
  /** Adjusted p-values in the order of the p-values. */
  readonly adjusted: readonly number[]
}

/** Adjusts the p-values (0 to 1) of one family of at least one test. */
export function adjust(family: string, p: ArrayLike<number>, method: AdjustmentMethod): Family {
  checkCount(`the number of p-values of the family "${family}"`, p.length, 1)
  for (let i = 0; i < p.length; i++) checkNumber(`p[${i}]`, p[i]!, 0, 1)
  const adjusted = { bh: benjaminiHochberg, by: benjaminiYekutieli, holm }[method](p)
  return { family, method, size: p.length, adjusted }
}

function benjaminiYekutieli(p: ArrayLike<number>): number[] {
  let harmonic = 0
  for (let i = 1; i <= p.length; i++) harmonic += 1 / i
  // A q-value cut at 1 stays cut: BH's largest is the largest p, which the factor may raise above 1.
  return benjaminiHochberg(p).map(q => Math.min(1, q * harmonic))
}

function holm(p: ArrayLike<number>): number[] {
  const m = p.length
  const order = Array.from({ length: m }, (_, i) => i).sort((a, b) => p[a]! - p[b]!)
  const adjusted = new Array<number>(m)
  let largest = 0
  order.forEach((place, i) => {
    largest = Math.max(largest, Math.min(1, (m - i) * p[place]!))
    adjusted[place] = largest
  })
  return adjusted
}
