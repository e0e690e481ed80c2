/** Sums, means, spreads, ranks and correlations of plain number arrays, in float64. */
import { checkValues } from './check.ts'
import { ascendingOrder } from './order.ts'

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
 * The value at a place (from 0) of the ascending order, without sorting: Floyd and Rivest's selection (1975), which compares little
 * more than each value once; of places near the end, among those that a sample says are as large. A place outside is a `RangeError`.
 */
export function orderStatistic(values: ArrayLike<number>, place: number): number {
  if (!(Number.isInteger(place) && place >= 0 && place < values.length))
    throw new RangeError(`There is no place ${place} among ${values.length} values.`)
  const above = values.length - 1 - place
  const largest = largestOf(values, above)
  if (largest) {
    select(largest, largest.length - 1 - above, 0, largest.length - 1)
    return largest[largest.length - 1 - above]!
  }
  const own = finiteCopy(values)
  select(own, place, 0, own.length - 1)
  return own[place]!
}

/** Values of which a sample is as good as all, and how many it has. */
const sampledLargest = { from: 8192, sample: 1024 }

/** More than `above` of the largest values, and few others; undefined where that saves nothing. All must be finite to be given. */
function largestOf(values: ArrayLike<number>, above: number): Float64Array | undefined {
  const n = values.length
  if (n < sampledLargest.from || 8 * above > n) return undefined
  const step = Math.floor(n / sampledLargest.sample)
  const sample = new Float64Array(Math.floor(n / step))
  for (let i = 0; i < sample.length; i++) sample[i] = values[i * step]!
  // As many of the sample as the share that is wanted, and five standard deviations more.
  const expected = (sample.length * (above + 1)) / n
  const place = sample.length - 1 - Math.ceil(expected + 5 * Math.sqrt(expected + 1))
  select(sample, place, 0, sample.length - 1)
  const bound = sample[place]!
  const found = new Float64Array(Math.ceil(n / 4))
  let count = 0
  let areFinite = true
  for (let i = 0; i < n; i++) {
    const value = values[i]!
    if (value >= bound) {
      if (count < found.length) found[count++] = value
    } else if (!(value > Number.NEGATIVE_INFINITY)) areFinite = false
  }
  for (let i = 0; i < count; i++) if (found[i] === Number.POSITIVE_INFINITY) areFinite = false
  return areFinite && count > above && count < found.length ? found.subarray(0, count) : undefined
}

/** From so many values on a pivot is worth choosing by a sample of them (their constant). */
const sampledFrom = 600

/** Reorders values from `low` to `high` until the one at the place is where sorting would have it. */
function select(values: Float64Array, place: number, low: number, high: number): void {
  while (high > low) {
    if (high - low > sampledFrom) {
      // The pivot is the value that a sample of n^(2/3) says lies just beyond the place.
      const n = high - low + 1
      const before = place - low + 1
      const log = Math.log(n)
      const sample = Math.exp((2 * log) / 3) / 2
      const spread = (Math.sqrt((log * sample * (n - sample)) / n) / 2) * Math.sign(before - n / 2)
      const from = Math.floor(place - (before * sample) / n + spread)
      const to = Math.floor(place + ((n - before) * sample) / n + spread)
      select(values, place, Math.max(low, from), Math.min(high, to))
    }
    const pivot = values[place]!
    let [i, j] = [low, high]
    while (i <= j) {
      while (values[i]! < pivot) i++
      while (values[j]! > pivot) j--
      if (i > j) break
      const value = values[i]!
      values[i++] = values[j]!
      values[j--] = value
    }
    if (place <= j) high = j
    else if (place >= i) low = i
    else return
  }
}

/** The values in an array of one kind, which code that is compiled for any kind reads slowly; refuses what is not finite. */
function finiteCopy(values: ArrayLike<number>, least = 1): Float64Array {
  const own = new Float64Array(values)
  let isFit = own.length >= least
  for (let i = 0; i < own.length; i++) if (!Number.isFinite(own[i])) isFit = false
  if (!isFit) checkValues('values', values, least)
  return own
}

/** Ranks 1 … n in ascending order; equal values share the mean of their ranks. */
export function midranks(values: ArrayLike<number>): Float64Array {
  const own = finiteCopy(values, 0)
  const order = ascendingOrder(own)
  const ranks = new Float64Array(own.length)
  for (let start = 0; start < order.length; ) {
    let end = start + 1
    while (end < order.length && own[order[end]!] === own[order[start]!]) end++
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
