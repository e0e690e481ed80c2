/**
 * Maximum mean discrepancy of two samples of vectors (Gretton et al. 2012), unbiased, with a Gaussian kernel.
 *
 *   MMD²ᵤ = Σᵢ≠ⱼ k(xᵢ, xⱼ) / (n(n − 1)) + Σᵢ≠ⱼ k(yᵢ, yⱼ) / (m(m − 1)) − 2 Σ k(xᵢ, yⱼ) / (nm)
 *   k(a, b) = exp(−‖a − b‖² / (2σ²)), σ the median distance of all pairs of vectors (of those that differ, where it is 0)
 */
import type { Random } from '../../core/random.ts'
import { checkCount, checkNumber, checkParallel, checkValues } from '../check.ts'
import { quantileOfSorted } from '../descriptive.ts'

export interface MeanDiscrepancy {
  /** MMD²ᵤ, about 0 for equal distributions and then as often below as above. */
  readonly squared: number
  readonly bandwidth: number
  /** (1 + #{MMD²* ≥ MMD²}) / (1 + draws), the two samples mixed and dealt anew; never 0. */
  readonly p: number
  readonly draws: number
}

/** At least two vectors a sample, all equally long; takes (n + m)² room. Null where all vectors are equal. */
export function meanDiscrepancy(
  x: readonly ArrayLike<number>[],
  y: readonly ArrayLike<number>[],
  random: Random,
  { bandwidth, draws = 500 }: { bandwidth?: number; draws?: number } = {},
): MeanDiscrepancy | null {
  checkCount('the number of vectors of x', x.length, 2)
  checkCount('the number of vectors of y', y.length, 2)
  checkCount('draws', draws, 1)
  if (bandwidth !== undefined) checkNumber('bandwidth', bandwidth, Number.MIN_VALUE)
  const all = [...x, ...y]
  all.forEach((vector, i) => {
    const name = i < x.length ? `x[${i}]` : `y[${i - x.length}]`
    checkValues(name, vector)
    checkParallel('x[0]', all[0]!, name, vector)
  })
  const kernel = squaredDistances(all)
  const sigma = bandwidth ?? medianDistance(kernel, all.length)
  if (sigma === null) return null
  for (let i = 0; i < kernel.length; i++) kernel[i] = Math.exp(-kernel[i]! / (2 * sigma * sigma))
  const order = Uint32Array.from(all.keys())
  const squared = discrepancy(kernel, order, x.length)
  let count = 1
  for (let draw = 0; draw < draws; draw++) {
    if (discrepancy(kernel, random.shuffle(order), x.length) >= squared - 1e-12) count++
  }
  return { squared, bandwidth: sigma, p: count / (draws + 1), draws }
}

function squaredDistances(vectors: readonly ArrayLike<number>[]): Float64Array {
  const n = vectors.length
  const squares = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      let sum = 0
      for (let k = 0; k < vectors[i]!.length; k++) sum += (vectors[i]![k]! - vectors[j]![k]!) ** 2
      squares[i * n + j] = sum
      squares[j * n + i] = sum
    }
  }
  return squares
}

/** The median over pairs; where half of them or more are equal, that of the pairs that differ; null where none does. */
function medianDistance(squares: Float64Array, n: number): number | null {
  const pairs: number[] = []
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) if (squares[i * n + j]! > 0) pairs.push(squares[i * n + j]!)
  if (pairs.length === 0) return null
  const distances = Float64Array.from(pairs, Math.sqrt).sort()
  const all = new Float64Array((n * (n - 1)) / 2)
  all.set(distances, all.length - distances.length)
  return quantileOfSorted(all, 0.5) || quantileOfSorted(distances, 0.5)
}

function discrepancy(kernel: Float64Array, order: Uint32Array, n: number): number {
  const total = order.length
  const m = total - n
  let [xx, yy, xy] = [0, 0, 0]
  for (let i = 0; i < total; i++) {
    const row = order[i]! * total
    for (let j = 0; j < i; j++) {
      const k = kernel[row + order[j]!]!
      if (i < n) xx += k
      else if (j >= n) yy += k
      else xy += k
    }
  }
  return (2 * xx) / (n * (n - 1)) + (2 * yy) / (m * (m - 1)) - (2 * xy) / (n * m)
}
