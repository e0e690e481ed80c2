/**
 * What a site's rows say of all tokens they were sampled from, and how sure that is. With π known and tokens drawn
 * independently, the variance of a weighted mean ŷ = Σ wy / Σ w, w = 1/π, is that of its linear part (Särndal, Swensson and
 * Wretman 1992, §5.7):
 *
 *   V(ŷ) = Σ (1 − π) / π² · (y − ŷ)² / (Σ w)²
 *
 * over the rows; y is a dimension, the row's norm, or ‖x − x̂‖², whose weighted mean is the trace of the covariance.
 * Intervals are normal.
 */
import type { SiteAudit } from '../../datasets/shards/audit.ts'
import { normalCdf, normalQuantile } from '../../statistics/distributions/normal.ts'
import type { Moments } from '../statistics.ts'

export const level = 0.95
const z = normalQuantile(1 - (1 - level) / 2)

/** Sums of a weighted mean and its variance. */
class WeightedSum {
  private weights = 0
  private sum = 0
  private c = 0
  private cy = 0
  private cyy = 0

  /** `y` with weight w = 1/π and c = (1 − π) / π². */
  add(y: number, w: number, c: number): void {
    this.weights += w
    this.sum += w * y
    this.c += c
    this.cy += c * y
    this.cyy += c * y * y
  }

  result(full: number | null) {
    const estimate = this.sum / this.weights
    const squares = Math.max(0, this.cyy - 2 * estimate * this.cy + estimate * estimate * this.c)
    const error = Math.sqrt(squares) / this.weights
    return { estimate, low: estimate - z * error, high: estimate + z * error, full }
  }
}

/** Takes a site's rows one by one, after their weighted mean is known. */
export class SiteEstimates {
  private readonly center: Float64Array
  private readonly squares: Float64Array
  private readonly trace = new WeightedSum()
  private readonly norm = new WeightedSum()
  private weights = 0

  /** `mean` is the rows' weighted mean [width]. */
  constructor(mean: readonly number[]) {
    this.center = Float64Array.from(mean)
    this.squares = new Float64Array(mean.length)
  }

  /** Adds the row of `values` that begins at `at`; gives its norm. `rate` is its inclusion probability. */
  add(values: Float32Array, at: number, rate: number): number {
    const { center, squares } = this
    const w = 1 / rate
    const c = (1 - rate) * w * w
    let [deviation, norm] = [0, 0]
    for (let i = 0; i < center.length; i++) {
      const value = values[at + i]!
      const difference = value - center[i]!
      const square = difference * difference
      norm += value * value
      deviation += square
      squares[i]! += c * square
    }
    const length = Math.sqrt(norm)
    this.weights += w
    this.trace.add(deviation, w, c)
    this.norm.add(length, w, c)
    return length
  }

  /** Estimates and, where the whole population's moments are given, how they compare. */
  result(full: Moments | null): Pick<SiteAudit, 'mean' | 'trace' | 'norm'> {
    const fullTrace = full && full.m2.reduce((sum, m2) => sum + m2, 0) / full.rows
    const trace = this.trace.result(fullTrace)
    const scale = Math.sqrt(fullTrace ?? trace.estimate) || 1
    const errors = Array.from(this.squares, square => Math.sqrt(square) / this.weights)
    const error = Math.hypot(...errors) / scale
    const norm = this.norm.result(full && full.norms / full.rows)
    if (!full) return { mean: { error, distance: null, within: null, p: null }, trace, norm }
    const offs = full.mean.map((mean, i) => Math.abs(this.center[i]! - mean))
    const chancy = [...errors.keys()].filter(i => errors[i]! > 0)
    const largest = chancy.reduce((most, i) => Math.max(most, offs[i]! / errors[i]!), 0)
    const mean = {
      error,
      distance: Math.hypot(...offs) / scale,
      within: chancy.length ? chancy.filter(i => offs[i]! <= z * errors[i]!).length / chancy.length : null,
      p: chancy.length ? Math.min(1, 2 * normalCdf(-largest) * chancy.length) : null,
    }
    return { mean, trace, norm }
  }
}
