/** Sums, means, spreads, ranks and correlations of plain number arrays, in float64. */
import { checkValues } from './check.ts'

/** Arithmetic mean; NaN for an empty array. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]!
  return sum / values.length
}

/** Unbiased variance (divisor n − 1); NaN for fewer than two values. */
export function variance(values: ArrayLike<number>): number {
  if (values.length < 2) return Number.NaN
  const centre = mean(values)
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += (values[i]! - centre) ** 2
  return sum / (values.length - 1)
}

/** Square root of the unbiased variance. */
export function standardDeviation(values: ArrayLike<number>): number {
  return Math.sqrt(variance(values))
}

/** The q-quantile, linear between order statistics (Hyndman and Fan's type 7); NaN for an empty array. */
export function quantile(values: ArrayLike<number>, q: number): number {
  checkValues('values', values, 0)
  return quantileOfSorted(Float64Array.from(values as ArrayLike<number>).sort(), q)
}

/** As `quantile`, for values already in ascending order. */
export function quantileOfSorted(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) return Number.NaN
  const place = Math.min(1, Math.max(0, q)) * (sorted.length - 1)
  const below = Math.floor(place)
  const low = sorted[below]!
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!
  return low + (place - below) * (high - low)
}

/**
 * The value at a place (from 0) of the ascending order, without sorting: Hoare's selection, in time proportional to n. A place
 * outside is a `RangeError`.
 */
export function orderStatistic(values: ArrayLike<number>, place: number): number {
  checkValues('values', values)
  if (!(Number.isInteger(place) && place >= 0 && place < values.length))
    throw new RangeError(`There is no place ${place} among ${values.length} values.`)
  const own = Float64Array.from(values)
  let [low, high] = [0, own.length - 1]
  while (low < high) {
    const pivot = own[(low + high) >> 1]!
    let [i, j] = [low, high]
    while (i <= j) {
      while (own[i]! < pivot) i++
      while (own[j]! > pivot) j--
      if (i > j) break
      const value = own[i]!
      own[i++] = own[j]!
      own[j--] = value
    }
    if (place <= j) high = j
    else if (place >= i) low = i
    else break
  }
  return own[place]!
}

/** Ranks 1 … n in ascending order; equal values share the mean of their ranks. */
export function midranks(values: ArrayLike<number>): Float64Array {
  checkValues('values', values, 0)
  const order = Uint32Array.from({ length: values.length }, (_, i) => i).sort((a, b) => values[a]! - values[b]!)
  const ranks = new Float64Array(values.length)
  for (let start = 0; start < order.length; ) {
    let end = start + 1
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++
    for (let i = start; i < end; i++) ranks[order[i]!] = (start + 1 + end) / 2
    start = end
  }
  return ranks
}

/** Pearson's correlation; NaN where either side does not vary. */
export function pearson(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const meanX = mean(x)
  const meanY = mean(y)
  let xx = 0
  let yy = 0
  let xy = 0
  for (let i = 0; i < x.length; i++) {
    const dx = x[i]! - meanX
    const dy = y[i]! - meanY
    xx += dx * dx
    yy += dy * dy
    xy += dx * dy
  }
  return xx === 0 || yy === 0 ? Number.NaN : xy / Math.sqrt(xx * yy)
}

/** Spearman's rank correlation with midranks. */
export function spearman(x: ArrayLike<number>, y: ArrayLike<number>): number {
  return pearson(midranks(x), midranks(y))
}
