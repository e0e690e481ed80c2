/**
 * Kolmogorov and Smirnov's distance of two samples, D = sup |F₁ − F₂|, with its p-value: exact for small samples by
 * counting lattice paths (Hodges 1958), else Stephens' approximation Q((√nₑ + .12 + .11/√nₑ)·D), nₑ = nm/(n + m).
 * Ties make both conservative.
 */
import { checkValues } from '../check.ts'
import { kolmogorovQ } from './kolmogorov.ts'

/** Up to this n·m the paths are counted. */
const exactLimit = 40_000

export interface TwoSampleDistance {
  readonly distance: number
  readonly p: number
  readonly exact: boolean
}

/** D and its two-sided p for independent samples; a document must not give more than one value. */
export function kolmogorovSmirnov(x: ArrayLike<number>, y: ArrayLike<number>): TwoSampleDistance {
  checkValues('x', x)
  checkValues('y', y)
  const [n, m] = [x.length, y.length]
  const a = Float64Array.from(x).sort()
  const b = Float64Array.from(y).sort()
  let [i, j, steps] = [0, 0, 0]
  while (i < n && j < m) {
    const value = Math.min(a[i]!, b[j]!)
    while (i < n && a[i] === value) i++
    while (j < m && b[j] === value) j++
    steps = Math.max(steps, Math.abs(i * m - j * n))
  }
  const distance = steps / (n * m)
  if (n * m <= exactLimit) return { distance, p: exactP(n, m, steps), exact: true }
  const root = Math.sqrt((n * m) / (n + m))
  return { distance, p: kolmogorovQ((root + 0.12 + 0.11 / root) * distance), exact: false }
}

/** P(max |i·m − j·n| ≥ steps) over all equally likely orders of the two samples. */
function exactP(n: number, m: number, steps: number): number {
  if (steps === 0) return 1
  // Probability that a random path reaches (i, j) having touched |i·m − j·n| ≥ steps, row by row.
  const touched = new Float64Array(m + 1)
  for (let i = 0; i <= n; i++) {
    for (let j = 0; j <= m; j++) {
      if (Math.abs(i * m - j * n) >= steps) touched[j] = 1
      else if (i === 0 && j === 0) touched[0] = 0
      else {
        // Of the orders that end at (i, j), i / (i + j) came from (i − 1, j).
        const fromAbove = i > 0 ? (i / (i + j)) * touched[j]! : 0
        touched[j] = fromAbove + (j > 0 ? (j / (i + j)) * touched[j - 1]! : 0)
      }
    }
  }
  return Math.min(1, touched[m]!)
}
