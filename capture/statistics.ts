/**
 * Mean, variance and norm of activations in float64. A shard's moments are taken in two passes over its rows, and shards
 * are merged in their order (Chan, Golub and LeVeque 1979), so the figures do not depend on which shard was done first:
 *
 *   δ = mean₂ − mean₁    mean = mean₁ + δ n₂/n    M2 = M2₁ + M2₂ + δ² n₁n₂/n
 */
import type { SiteStatistics } from '../datasets/shards/index.ts'
import { roundingOf } from '../engine/ops/halves.ts'
import { deviations, rowSums } from '../engine/ops/moments.ts'

/** Sums over some rows of a site. */
export interface Moments {
  rows: number
  mean: number[]
  /** Sum of squared deviations from the mean, by dimension. */
  m2: number[]
  weights: number
  /** Sum of weight × value, by dimension. */
  weighted: number[]
  /** Sum of the rows' Euclidean norms. */
  norms: number
  /** Of float16: Σ (stored − computed)², Σ computed² and the largest difference; null for float32. */
  rounding: { error: number; squares: number; largest: number } | null
}

/** Moments of rows [rows, width]. Calls `onNotFinite` with the first row that holds NaN or an infinity. */
export function momentsOf(
  values: Float32Array,
  width: number,
  weight: Float32Array,
  onNotFinite: (row: number) => never,
): Moments {
  const rows = weight.length
  const { sums, weighted, squares } = rowSums(values, width, weight)
  // Squares of float32 numbers cannot overflow a float64, so their sum is finite exactly when the row is.
  const wrong = squares.findIndex(square => !Number.isFinite(square))
  if (wrong >= 0) onNotFinite(wrong)
  let norms = 0
  let weights = 0
  for (let row = 0; row < rows; row++) {
    norms += Math.sqrt(squares[row]!)
    weights += weight[row]!
  }
  const mean = sums.map(sum => sum / rows)
  const m2 = deviations(values, mean)
  return {
    ...{ rows, mean: Array.from(mean), m2: Array.from(m2), weights, weighted: Array.from(weighted), norms },
    rounding: null,
  }
}

/** What rounding rows [rows, width] changed, dimensions taken together. */
export function roundingOfRows(
  computed: Float32Array,
  stored: Float32Array,
  width: number,
): NonNullable<Moments['rounding']> {
  const { error, squares, largest } = roundingOf(computed, stored, width)
  const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0)
  return {
    error: sum(error),
    squares: sum(squares),
    largest: largest.reduce((most, value) => Math.max(most, value), 0),
  }
}

/** Moments of two sets of rows together. */
export function mergeMoments(a: Moments, b: Moments): Moments {
  const rows = a.rows + b.rows
  const share = b.rows / rows
  return {
    rows,
    mean: a.mean.map((mean, i) => mean + (b.mean[i]! - mean) * share),
    m2: a.m2.map((m2, i) => m2 + b.m2[i]! + (b.mean[i]! - a.mean[i]!) ** 2 * a.rows * share),
    weights: a.weights + b.weights,
    weighted: a.weighted.map((sum, i) => sum + b.weighted[i]!),
    norms: a.norms + b.norms,
    rounding:
      a.rounding && b.rounding
        ? {
            error: a.rounding.error + b.rounding.error,
            squares: a.rounding.squares + b.rounding.squares,
            largest: Math.max(a.rounding.largest, b.rounding.largest),
          }
        : null,
  }
}

/** What the manifest says of a site. */
export function statisticsOf(moments: Moments): SiteStatistics {
  return {
    mean: moments.mean,
    variance: moments.m2.map(m2 => m2 / moments.rows),
    populationMean: moments.weighted.map(sum => sum / moments.weights),
    norm: moments.norms / moments.rows,
    rounding: moments.rounding && {
      relative: moments.rounding.squares > 0 ? Math.sqrt(moments.rounding.error / moments.rounding.squares) : 0,
      largest: moments.rounding.largest,
    },
  }
}
