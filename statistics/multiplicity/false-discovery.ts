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
    // m·p first would lose a last digit, and a p that is α j / m to the digit its q = α.
    smallest = Math.min(smallest, p[i]! * (m / rank))
    q[i] = smallest
  }
  return q
}
