/**
 * The mean of values in clusters, such as windows in documents, with intervals over the clusters. The ratio estimator
 * of survey sampling (Cochran 1977, §11.8 with clusters of unequal size):
 *
 *   θ̂ = Σ yᵢ / Σ nᵢ,  s² = c / (c − 1) · Σ (yᵢ − θ̂·nᵢ)² / (Σ nᵢ)²,  yᵢ the sum and nᵢ the size of cluster i of c
 */
import { checkBetween, checkParallel, checkValues } from '../check.ts'
import { studentQuantile } from '../distributions/student.ts'
import { type ClusterBootstrapOptions, type ClusterInterval, clusterBootstrap } from './cluster-bootstrap.ts'
import type { MeanInterval } from './mean.ts'

/** Sums and sizes of the clusters, in the order in which the clusters first appear. */
export interface ClusterSums {
  readonly sums: Float64Array
  readonly sizes: Float64Array
}

/** Sums the values of each cluster; `clusters` names the cluster of every value. */
function clusterSums(values: ArrayLike<number>, clusters: ArrayLike<number | string>): ClusterSums {
  checkValues('values', values)
  checkParallel('values', values, 'clusters', clusters)
  const places = new Map<number | string, number>()
  const sums: number[] = []
  const sizes: number[] = []
  for (let i = 0; i < values.length; i++) {
    let place = places.get(clusters[i]!)
    if (place === undefined) {
      place = sums.length
      places.set(clusters[i]!, place)
      sums.push(0)
      sizes.push(0)
    }
    sums[place]! += values[i]!
    sizes[place]!++
  }
  return { sums: Float64Array.from(sums), sizes: Float64Array.from(sizes) }
}

/** Mean and its standard error for the clusters of a sample; the error is null for one cluster. */
export function clusterMean(
  { sums, sizes }: ClusterSums,
  sample: ArrayLike<number>,
): [mean: number, error: number | null] {
  let sum = 0
  let size = 0
  for (let i = 0; i < sample.length; i++) {
    sum += sums[sample[i]!]!
    size += sizes[sample[i]!]!
  }
  const estimate = sum / size
  if (sample.length < 2) return [estimate, null]
  let squares = 0
  for (let i = 0; i < sample.length; i++) squares += (sums[sample[i]!]! - estimate * sizes[sample[i]!]!) ** 2
  return [estimate, Math.sqrt((sample.length / (sample.length - 1)) * squares) / size]
}

/** Student's interval of the mean over c clusters, df = c − 1; null bounds for one cluster or clusters that agree. */
export function clusterMeanInterval(
  values: ArrayLike<number>,
  clusters: ArrayLike<number | string>,
  level = 0.95,
): MeanInterval {
  checkBetween('level', level, 0, 1)
  const sums = clusterSums(values, clusters)
  const count = sums.sums.length
  const [estimate, standardError] = clusterMean(sums, Uint32Array.from(sums.sums.keys()))
  const df = count - 1
  if (standardError === null || standardError <= 1e-15 * Math.abs(estimate)) {
    return { estimate, standardError: standardError === null ? null : 0, low: null, high: null, level, df }
  }
  const half = studentQuantile(1 - (1 - level) / 2, df) * standardError
  return { estimate, standardError, low: estimate - half, high: estimate + half, level, df }
}

/** Bootstrap interval of the mean over clusters; bootstrap-t uses the standard error above. */
export function clusterMeanBootstrap(
  values: ArrayLike<number>,
  clusters: ArrayLike<number | string>,
  options: Omit<ClusterBootstrapOptions, 'standardError'>,
): ClusterInterval {
  const sums = clusterSums(values, clusters)
  return clusterBootstrap(sums.sums.length, sample => clusterMean(sums, sample)[0], {
    ...options,
    standardError: sample => clusterMean(sums, sample)[1],
  })
}
