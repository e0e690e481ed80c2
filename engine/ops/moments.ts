/** Sums over rows of activations, in float64 and in the order of the rows: what moments are made of. */
import { hostFunction } from './native.ts'

/** Sums over rows [rows, width]. */
export interface RowSums {
  /** Σ x, by dimension. */
  readonly sums: Float64Array
  /** Σ weight · x, by dimension. */
  readonly weighted: Float64Array
  /** Σ x² of each row. */
  readonly squares: Float64Array
}

/** The meaning of `rowSums`. */
export function plainRowSums(values: Float32Array, width: number, weight: Float32Array): RowSums {
  const sums = new Float64Array(width)
  const weighted = new Float64Array(width)
  const squares = new Float64Array(weight.length)
  for (let row = 0; row < weight.length; row++) {
    const at = row * width
    const w = weight[row]!
    let square = 0
    for (let i = 0; i < width; i++) {
      const value = values[at + i]!
      square += value * value
      sums[i]! += value
      weighted[i]! += w * value
    }
    squares[row] = square
  }
  return { sums, weighted, squares }
}

/** Sums over rows `values` [rows, width] with a weight each. */
export function rowSums(values: Float32Array, width: number, weight: Float32Array): RowSums {
  const native = hostFunction('rowSums')
  if (!native) return plainRowSums(values, width, weight)
  const sums = new Float64Array(width)
  const weighted = new Float64Array(width)
  const squares = new Float64Array(weight.length)
  native(values, weight, sums, weighted, squares)
  return { sums, weighted, squares }
}

/** The meaning of `deviations`. */
export function plainDeviations(values: Float32Array, mean: Float64Array): Float64Array {
  const width = mean.length
  const m2 = new Float64Array(width)
  for (let at = 0; at < values.length; at += width) {
    for (let i = 0; i < width; i++) {
      const deviation = values[at + i]! - mean[i]!
      m2[i]! += deviation * deviation
    }
  }
  return m2
}

/** Σ (x − mean)² by dimension, over rows [rows, mean.length]. */
export function deviations(values: Float32Array, mean: Float64Array): Float64Array {
  const native = hostFunction('deviations')
  if (!native) return plainDeviations(values, mean)
  const m2 = new Float64Array(mean.length)
  native(values, mean, m2)
  return m2
}
