/** Kolmogorov and Smirnov's distance: whether p-values of null data are uniform, as they must be. */
import { checkValues } from '../check.ts'

/** Q(λ) = 2 Σ (−1)^{j−1} exp(−2 j² λ²): the asymptotic probability of a distance above λ. */
export function kolmogorovQ(lambda: number): number {
  if (lambda < 0.2) return 1
  let sum = 0
  for (let j = 1; j <= 100; j++) {
    const term = Math.exp(-2 * j * j * lambda * lambda)
    sum += j % 2 === 1 ? term : -term
    if (term < 1e-16) break
  }
  return Math.min(1, Math.max(0, 2 * sum))
}

/** Largest distance of the values' distribution from the uniform one on [0, 1], and its p-value. */
export function uniformity(values: ArrayLike<number>): { distance: number; p: number } {
  checkValues('values', values)
  const sorted = Float64Array.from(values as ArrayLike<number>).sort()
  const n = sorted.length
  let distance = 0
  for (let i = 0; i < n; i++) distance = Math.max(distance, (i + 1) / n - sorted[i]!, sorted[i]! - i / n)
  const root = Math.sqrt(n)
  return { distance, p: kolmogorovQ((root + 0.12 + 0.11 / root) * distance) }
}
