/**
 * The population stability index: how far a distribution has moved from its reference (symmetrised Kullback–Leibler).
 *
 *   PSI = Σ (pᵢ − qᵢ)·ln(pᵢ / qᵢ), shares below ε = 10⁻⁴ counting as ε
 *
 * Below .10 is called none, .10 to .25 moderate, above large: a convention only, as equal distributions give about
 * (B − 1)·(1/n + 1/m) for B bins. The p-value says whether there is more than that.
 */
import type { Random } from '../../core/random.ts'
import { binned, quantileEdges } from '../bins.ts'
import { checkCount, checkNumber, checkParallel, checkValues } from '../check.ts'

const smallestShare = 1e-4

/** PSI of two lists of shares in the same bins, each summing to 1. */
export function stabilityIndex(p: ArrayLike<number>, q: ArrayLike<number>): number {
  checkValues('p', p)
  checkValues('q', q)
  checkParallel('p', p, 'q', q)
  for (const [name, shares] of [
    ['p', p],
    ['q', q],
  ] as const) {
    let total = 0
    for (let i = 0; i < shares.length; i++) {
      checkNumber(`${name}[${i}]`, shares[i]!, 0, 1)
      total += shares[i]!
    }
    checkNumber(`the sum of ${name}`, total, 1 - 1e-6, 1 + 1e-6)
  }
  let sum = 0
  for (let i = 0; i < p.length; i++) {
    const a = Math.max(smallestShare, p[i]!)
    const b = Math.max(smallestShare, q[i]!)
    sum += (a - b) * Math.log(a / b)
  }
  return sum
}

export interface Drift {
  readonly index: number
  /** What equal distributions give on average, (B − 1)·(1/n + 1/m), B the bins in use. */
  readonly expected: number
  /** (1 + #{index* ≥ index}) / (1 + draws), index* of the two samples mixed and dealt anew; never 0. */
  readonly p: number
  readonly draws: number
}

/** PSI of a sample against a reference, in a bin for 0 and ten quantile bins of the reference's nonzeros. */
export function sampleDrift(
  reference: ArrayLike<number>,
  sample: ArrayLike<number>,
  random: Random,
  { bins = 10, draws = 1000 }: { bins?: number; draws?: number } = {},
): Drift {
  checkCount('draws', draws, 1)
  const edges = quantileEdges(reference, bins)
  const [n, m] = [reference.length, sample.length]
  const all = new Uint32Array(n + m)
  all.set(binned(reference, edges))
  all.set(binned(sample, edges), n)
  const index = indexOf(all, n, edges.length + 2)
  const used = new Set(all).size
  let count = 1
  for (let draw = 0; draw < draws; draw++) {
    if (indexOf(random.shuffle(all), n, edges.length + 2) >= index - 1e-12) count++
  }
  return { index, expected: (used - 1) * (1 / n + 1 / m), p: count / (draws + 1), draws }
}

function indexOf(codes: Uint32Array, n: number, bins: number): number {
  const p = new Float64Array(bins)
  const q = new Float64Array(bins)
  const m = codes.length - n
  codes.forEach((code, i) => {
    if (i < n) p[code]! += 1 / n
    else q[code]! += 1 / m
  })
  for (let i = 0; i < bins; i++) {
    p[i] = Math.min(1, p[i]!)
    q[i] = Math.min(1, q[i]!)
  }
  return stabilityIndex(p, q)
}
