/**
 * How far two groups of documents are apart at one site, in one stratum. A document is its rows' weighted mean and their mean
 * norm, so that long documents count no more than short ones:
 *
 *   psi      stability index of the norms, in ten bins of both together and one for 0
 *   ks       Kolmogorov and Smirnov's distance of the norms
 *   mmd      unbiased MMD² of the means, Gaussian kernel, σ the median distance
 *   cosine   1 − cosine of the groups' means
 *   frechet  Fréchet's distance of the means
 */

import type { DocumentMean } from '../../datasets/shards/by-document.ts'
import { binned, quantileEdges } from '../../statistics/bins.ts'
import { quantile } from '../../statistics/descriptive.ts'
import { frechetDistance } from '../../statistics/drift/frechet.ts'
import { stabilityIndex } from '../../statistics/drift/stability-index.ts'

/** Fewer documents of a group than this are not tested. */
export const fewestDocuments = 5

export const testedMeasures = ['psi', 'ks', 'mmd', 'cosine'] as const

export const driftDefinitions = {
  psi: 'population stability index of the documents’ mean norms, in ten quantile bins of both runs and one for 0',
  ks: 'Kolmogorov–Smirnov distance of the documents’ mean norms',
  mmd: 'unbiased squared maximum mean discrepancy of the documents’ weighted means, Gaussian kernel at the median distance',
  cosine: '1 − cosine of the mean of the documents’ weighted means',
  frechet: 'Fréchet distance of the documents’ weighted means; expected from twenty labellings, not tested',
}

/** Sums of many products are off by less; what lies below it is nothing, and ranks with nothing. */
const rounding = 1e-12
const beyondRounding = (distance: number) => (distance > rounding ? distance : 0)

/** The measures of one cell under any labelling. */
export class CellMeasures {
  private readonly documents: readonly DocumentMean[]
  private readonly bins: Uint32Array
  private readonly binCount: number
  /** Places by ascending norm, and for each whether the next has another norm. */
  private readonly order: readonly number[]
  private readonly ends: readonly boolean[]
  private readonly kernel: Float64Array
  private readonly gram: Float64Array

  /** At least one document. */
  constructor(documents: readonly DocumentMean[]) {
    this.documents = documents
    const norms = documents.map(({ norm }) => norm)
    const edges = quantileEdges(norms)
    this.bins = binned(norms, edges)
    this.binCount = edges.length + 2
    this.order = [...norms.keys()].sort((i, j) => norms[i]! - norms[j]!)
    this.ends = this.order.map((place, i) => i + 1 === norms.length || norms[this.order[i + 1]!] !== norms[place])
    const n = documents.length
    this.gram = new Float64Array(n * n)
    for (let i = 0; i < n; i++)
      for (let j = 0; j <= i; j++) {
        const [x, y] = [documents[i]!.mean, documents[j]!.mean]
        let sum = 0
        for (let k = 0; k < x.length; k++) sum += x[k]! * y[k]!
        this.gram[i * n + j] = sum
        this.gram[j * n + i] = sum
      }
    this.kernel = kernelOf(this.gram, n)
  }

  /** `labels[i]` is 1 where document i counts as the first group; all null where a group has too few. */
  measure(labels: Uint8Array): Record<(typeof testedMeasures)[number], number | null> {
    const n = this.documents.length
    let first = 0
    for (let i = 0; i < n; i++) first += labels[i]!
    const second = n - first
    if (first < fewestDocuments || second < fewestDocuments) return { psi: null, ks: null, mmd: null, cosine: null }
    const shares = [new Float64Array(this.binCount), new Float64Array(this.binCount)] as const
    for (let i = 0; i < n; i++) shares[labels[i]!]![this.bins[i]!]! += 1 / (labels[i] ? first : second)
    let [gap, ks] = [0, 0]
    this.order.forEach((place, i) => {
      gap += labels[place] ? 1 / first : -1 / second
      if (this.ends[i]) ks = Math.max(ks, Math.abs(gap))
    })
    let [aa, ab, bb, kaa, kab, kbb] = [0, 0, 0, 0, 0, 0]
    for (let i = 0; i < n; i++) {
      const own = labels[i]!
      for (let j = 0; j < i; j++) {
        const at = i * n + j
        if (own !== labels[j]) {
          ab += this.gram[at]!
          kab += this.kernel[at]!
        } else if (own) {
          aa += 2 * this.gram[at]!
          kaa += 2 * this.kernel[at]!
        } else {
          bb += 2 * this.gram[at]!
          kbb += 2 * this.kernel[at]!
        }
      }
      if (own) aa += this.gram[i * n + i]!
      else bb += this.gram[i * n + i]!
    }
    const norms = Math.sqrt(aa * bb)
    return {
      // Shares of n documents may sum to a little more than 1.
      psi: stabilityIndex(
        shares[1].map(share => Math.min(1, share)),
        shares[0].map(share => Math.min(1, share)),
      ),
      ks,
      mmd: kaa / (first * (first - 1)) + kbb / (second * (second - 1)) - (2 * kab) / (first * second),
      cosine: norms > 0 ? beyondRounding(1 - ab / norms) : null,
    }
  }

  /** Fréchet's distance under a labelling; null where a group has too few. */
  frechet(labels: Uint8Array): number | null {
    const groups = [0, 1].map(label => this.documents.filter((_, i) => labels[i] === label).map(({ mean }) => mean))
    const [second, first] = groups as [Float64Array[], Float64Array[]]
    return Math.min(first.length, second.length) < fewestDocuments ? null : frechetDistance(first, second)
  }
}

/** exp(−d² / 2σ²) of all pairs from their products; σ the median distance of those that differ. */
function kernelOf(gram: Float64Array, n: number): Float64Array {
  const squares = new Float64Array(n * n)
  const distances: number[] = []
  for (let i = 0; i < n; i++)
    for (let j = 0; j < i; j++) {
      const square = Math.max(0, gram[i * n + i]! + gram[j * n + j]! - 2 * gram[i * n + j]!)
      squares[i * n + j] = square
      if (square > 0) distances.push(Math.sqrt(square))
    }
  const sigma = distances.length > 0 ? quantile(distances, 0.5) : 1
  return squares.map(square => Math.exp(-square / (2 * sigma * sigma)))
}
