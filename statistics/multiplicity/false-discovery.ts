/** Many tests at once: false discovery rate by Benjamini and Hochberg (1995). */
import { checkNumber } from '../check.ts'

/** q-values in the order of `p`: q₍ᵢ₎ = min over j ≥ i of m·p₍ⱼ₎ / j, at most 1. The family is all of `p`. */
export function benjaminiHochberg(p: ArrayLike<number>): number[] {
  const m = p.length
  for (let i = 0; i < m; i++) checkNumber(`p[${i}]`, p[i]!, 0, 1)
  const order = Array.from({ length: m }, (_, i) => i).sort((a, b) => p[a]! - p[b]!)
  const q = new Array<number>(m)
  let smallest = 1
  for (let rank = m; rank >= 1; rank--) {
    const i = order[rank - 1]!
    smallest = Math.min(smallest, (m * p[i]!) / rank)
    q[i] = smallest
  }
  return q
}
