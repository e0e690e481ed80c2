/** What samples of known features are drawn from, as plain arrays. `sample.ts` has the equations. */

/** Steps a unit of the table of the normal distribution, and the largest argument in it. */
const tailStep = 1 / 256
const tailEnd = 8

/** Features 0 to `roots` and from `nested` on fire by themselves; those between are children of another. */
export interface SampleTables {
  readonly width: number
  readonly features: number
  readonly rank: number
  readonly roots: number
  /** End of the features that belong to a tree. */
  readonly nested: number
  /** Children a parent, at most; they lie one after the other. */
  readonly branching: number
  /** [features × width], rows of norm 1. */
  readonly directions: Float32Array
  /** [width]. */
  readonly bias: Float32Array
  /** How the common factors move each feature, over the spread of its own noise; [features × rank]. */
  readonly factor: Float32Array
  /** Where each feature starts to fire, over the spread of its own noise; [features]. */
  readonly cut: Float32Array
  /** Mean and standard deviation of each feature's size where it fires; [features]. */
  readonly mean: Float32Array
  readonly deviation: Float32Array
  /** First child of each feature, −1 where it has none; [features]. */
  readonly firstChild: Int32Array
}

/** What fired in some samples: sample r has entries `offsets[r]` to `offsets[r + 1]`, by ascending feature. */
export interface Fired {
  readonly offsets: Int32Array
  readonly features: Int32Array
  readonly values: Float32Array
}

/**
 * P(N > t) for t from −8 to 8 in steps of 1/256, of a standard normal N: the density is summed by Simpson's rule from the
 * far end, where it is 6e-16. Straight lines between the entries are wrong by less than 5e-5 of the value where t < 5.
 */
export function tailTable(): Float32Array {
  const density = (t: number) => Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI)
  const steps = (2 * tailEnd) / tailStep
  const table = new Float32Array(steps + 1)
  let sum = 6.220960574271785e-16
  table[steps] = sum
  for (let i = steps - 1; i >= 0; i--) {
    const t = -tailEnd + i * tailStep
    sum += (tailStep / 6) * (density(t) + 4 * density(t + tailStep / 2) + density(t + tailStep))
    table[i] = Math.min(1, sum)
  }
  return table
}

/** P(N > t) by the table; 1 below it and 0 above. */
export function tailAt(table: Float32Array, t: number): number {
  const place = (t + tailEnd) / tailStep
  const i = Math.floor(place)
  if (!(i >= 0)) return 1
  if (i >= table.length - 1) return 0
  return table[i]! + (place - i) * (table[i + 1]! - table[i]!)
}

/** The t with P(N > t) = p by the table. */
export function cutAt(table: Float32Array, p: number): number {
  if (p >= 1) return -2 * tailEnd
  let low = 0
  let high = table.length - 1
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (table[middle]! >= p) low = middle
    else high = middle
  }
  const share = (table[low]! - p) / (table[low]! - table[high]! || 1)
  return -tailEnd + (low + Math.min(1, share)) * tailStep
}
