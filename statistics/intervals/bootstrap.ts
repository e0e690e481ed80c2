/**
 * Bootstrap intervals over clusters (Efron 1987): resample whole documents, never tokens.
 *
 *   percentile: the α/2 and 1 − α/2 quantiles of the resampled statistic
 *   BCa: the same at Φ(z0 + (z0 + z_α) / (1 − a·(z0 + z_α))), z0 from the share of draws below the estimate,
 *        a from the jackknife over clusters
 */
import type { Random } from '../../core/random.ts'
import { checkValues } from '../check.ts'
import { mean, quantileOfSorted } from '../descriptive.ts'
import { normalCdf, normalQuantile } from '../distributions/normal.ts'

/** An interval with how it was made; `method` is `percentile` where BCa was asked for but had no footing. */
export interface Interval {
  readonly estimate: number
  readonly low: number
  readonly high: number
  readonly level: number
  readonly method: 'bca' | 'percentile'
  readonly draws: number
}

export interface BootstrapOptions {
  readonly random: Random
  readonly draws?: number
  readonly level?: number
  readonly method?: 'bca' | 'percentile'
}

/** Fewest clusters for which the jackknife's acceleration means anything. */
const bcaClusters = 10

/**
 * The interval of `statistic` over `clusters` resampled with replacement; the statistic is given the cluster numbers
 * of one sample. NaN bounds for fewer than two clusters. Draws whose statistic is not finite are left out.
 */
export function bootstrap(
  clusters: number,
  statistic: (sample: Uint32Array) => number,
  { random, draws = 2000, level = 0.95, method = 'bca' }: BootstrapOptions,
): Interval {
  const all = Uint32Array.from({ length: clusters }, (_, i) => i)
  const estimate = statistic(all)
  if (clusters < 2) return { estimate, low: Number.NaN, high: Number.NaN, level, method: 'percentile', draws: 0 }
  const values: number[] = []
  const sample = new Uint32Array(clusters)
  for (let draw = 0; draw < draws; draw++) {
    for (let i = 0; i < clusters; i++) sample[i] = random.int(clusters)
    const value = statistic(sample)
    if (Number.isFinite(value)) values.push(value)
  }
  const sorted = Float64Array.from(values).sort()
  const tail = (1 - level) / 2
  const [low, high] = method === 'bca' ? bcaTails(sorted, estimate, tail, all, statistic) : [Number.NaN, Number.NaN]
  const usable = Number.isFinite(low) && Number.isFinite(high)
  return {
    estimate,
    low: quantileOfSorted(sorted, usable ? low : tail),
    high: quantileOfSorted(sorted, usable ? high : 1 - tail),
    level,
    method: usable ? 'bca' : 'percentile',
    draws: sorted.length,
  }
}

/** The two corrected tail probabilities, or NaN where there are too few clusters or nothing varies. */
function bcaTails(
  sorted: Float64Array,
  estimate: number,
  tail: number,
  all: Uint32Array,
  statistic: (sample: Uint32Array) => number,
): [number, number] {
  const n = all.length
  if (n < bcaClusters) return [Number.NaN, Number.NaN]
  let below = 0
  for (const value of sorted) below += value < estimate ? 1 : value === estimate ? 0.5 : 0
  const z0 = normalQuantile(below / sorted.length)
  const left = Float64Array.from(all, (_, out) => statistic(all.filter(i => i !== out)))
  const centre = mean(left)
  let squares = 0
  let cubes = 0
  for (const value of left) {
    squares += (centre - value) ** 2
    cubes += (centre - value) ** 3
  }
  const acceleration = cubes / (6 * squares ** 1.5)
  const corrected = (p: number) => {
    const z = z0 + normalQuantile(p)
    return normalCdf(z0 + z / (1 - acceleration * z))
  }
  return [corrected(tail), corrected(1 - tail)]
}

/** The bootstrap interval of the mean of one value a cluster. */
export function bootstrapMean(values: ArrayLike<number>, options: BootstrapOptions): Interval {
  checkValues('values', values, 0)
  return bootstrap(
    values.length,
    sample => {
      let sum = 0
      for (let i = 0; i < sample.length; i++) sum += values[sample[i]!]!
      return sum / sample.length
    },
    options,
  )
}
