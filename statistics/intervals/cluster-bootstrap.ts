/**
 * Bootstrap intervals over clusters (Efron 1987; Davison and Hinkley 1997, chapter 5), with bounds only where they are
 * honest: whole documents are resampled, never tokens, and too few of them give no bounds instead of narrow ones.
 *
 *   percentile:  the α/2 and 1 − α/2 quantiles of the resampled statistic θ*
 *   bca:         the same at Φ(z0 + (z0 + z_α) / (1 − a·(z0 + z_α))), z0 = Φ⁻¹(#{θ* < θ̂} / B, ties half),
 *                a = Σ (θ̄ − θ₍ᵢ₎)³ / (6·[Σ (θ̄ − θ₍ᵢ₎)²]^1.5) by the jackknife over clusters
 *   bootstrap-t: θ̂ − s·q, q the 1 − α/2 and α/2 quantiles of (θ* − θ̂) / s*, s the standard error
 */
import type { Random } from '../../core/random.ts'
import { checkBetween, checkCount, checkNumber } from '../check.ts'
import { mean, quantileOfSorted } from '../descriptive.ts'
import { normalCdf, normalQuantile } from '../distributions/normal.ts'
import { jackknife, jackknifeError } from './jackknife.ts'

export type BootstrapMethod = 'percentile' | 'bca' | 'bootstrap-t'

/** A statistic of the clusters of one sample (cluster numbers, with repeats); null where it is not defined. */
export type ClusterStatistic = (sample: Uint32Array) => number | null

/**
 * Fewest clusters for which a method gives bounds. Below 20 percentile and BCa are narrower than their level on any values;
 * below 5 bootstrap-t has none that are finite. What each covers from there on: `docs/statistics.md`.
 */
export const fewestClusters: Readonly<Record<BootstrapMethod, number>> = { percentile: 20, bca: 20, 'bootstrap-t': 5 }

export interface ClusterBootstrapOptions {
  readonly method: BootstrapMethod
  readonly random: Random
  readonly draws?: number
  readonly level?: number
  /** The statistic's standard error for a sample, for bootstrap-t; by the jackknife over its clusters where left out. */
  readonly standardError?: ClusterStatistic
}

export interface ClusterInterval {
  readonly estimate: number | null
  readonly low: number | null
  readonly high: number | null
  readonly level: number
  readonly method: BootstrapMethod
  readonly clusters: number
  /** Draws whose statistic is defined. */
  readonly draws: number
  /** Why there are no bounds; null where there are. */
  readonly reason: string | null
}

/** Share of draws that may be undefined before the rest no longer stand for all. */
const undefinedShare = 0.01

/** The interval of `statistic` over `clusters` resampled with replacement. Null bounds have a `reason`. */
export function clusterBootstrap(
  clusters: number,
  statistic: ClusterStatistic,
  { method, random, draws = 2000, level = 0.95, standardError }: ClusterBootstrapOptions,
): ClusterInterval {
  checkCount('clusters', clusters, 1)
  checkCount('draws', draws, 100)
  checkBetween('level', level, 0, 1)
  const all = Uint32Array.from({ length: clusters }, (_, i) => i)
  const estimate = defined(statistic(all))
  const none = (reason: string, used = 0): ClusterInterval => {
    return { estimate, low: null, high: null, level, method, clusters, draws: used, reason }
  }
  if (estimate === null) return none('the statistic is not defined')
  const fewest = fewestClusters[method]
  if (clusters < fewest) return none(`${method} needs at least ${fewest} clusters, and there are ${clusters}`)

  const errorOf = standardError ?? ((sample: Uint32Array) => jackknifeError(sample, statistic))
  const error = method === 'bootstrap-t' ? defined(errorOf(all)) : null
  if (method === 'bootstrap-t' && !(error! > 1e-14 * Math.abs(estimate))) return none('the clusters do not vary')

  const values: number[] = []
  const sample = new Uint32Array(clusters)
  for (let draw = 0; draw < draws; draw++) {
    for (let i = 0; i < clusters; i++) sample[i] = random.int(clusters)
    const value = defined(statistic(sample))
    if (value === null) continue
    if (error === null) values.push(value)
    else values.push(studentised(value - estimate, defined(errorOf(sample)), error))
  }
  const used = values.length
  if (used < draws * (1 - undefinedShare)) return none('the statistic is not defined in too many samples', used)
  const sorted = Float64Array.from(values).sort()
  if (sorted[0] === sorted[used - 1]) return none('the clusters do not vary', used)

  const tail = (1 - level) / 2
  const bounds = error === null ? plain() : [-error * at(1 - tail) + estimate, -error * at(tail) + estimate]
  if (bounds === null) return none('the jackknife over clusters has no footing', used)
  const [low, high] = bounds as [number, number]
  if (!Number.isFinite(low) || !Number.isFinite(high)) return none('too many samples do not vary', used)
  return { estimate, low, high, level, method, clusters, draws: used, reason: null }

  function plain(): [number, number] | null {
    if (method === 'percentile') return [at(tail), at(1 - tail)]
    const tails = bcaTails(sorted, estimate!, tail, jackknife(all, statistic))
    return tails && [at(tails[0]), at(tails[1])]
  }

  function at(q: number): number {
    const value = quantileOfSorted(sorted, q)
    return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value // between −∞ and ∞
  }
}

function defined(value: number | null): number | null {
  if (value !== null) checkNumber('the statistic of a sample', value)
  return value
}

/** (θ* − θ̂) / s*; beyond every number where the sample does not vary but differs from the estimate. */
function studentised(difference: number, error: number | null, scale: number): number {
  if (error !== null && error > 1e-12 * scale) return difference / error
  return Math.abs(difference) <= 1e-12 * scale ? 0 : difference > 0 ? Infinity : -Infinity
}

/** BCa's two corrected tail probabilities; null where a jackknife value is undefined or none of them varies. */
function bcaTails(
  sorted: Float64Array,
  estimate: number,
  tail: number,
  left: readonly (number | null)[],
): [number, number] | null {
  if (left.includes(null)) return null
  let below = 0
  for (const value of sorted) below += value < estimate ? 1 : value === estimate ? 0.5 : 0
  if (below === 0 || below === sorted.length) return null
  const z0 = normalQuantile(below / sorted.length)
  const centre = mean(left as number[])
  let squares = 0
  let cubes = 0
  for (const value of left as number[]) {
    squares += (centre - value) ** 2
    cubes += (centre - value) ** 3
  }
  if (squares === 0) return null
  const acceleration = cubes / (6 * squares ** 1.5)
  const corrected = (p: number) => {
    const z = z0 + normalQuantile(p)
    const room = 1 - acceleration * z
    return room <= 0 ? null : normalCdf(z0 + z / room)
  }
  const low = corrected(tail)
  const high = corrected(1 - tail)
  return low === null || high === null ? null : [low, high]
}
