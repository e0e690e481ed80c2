/** Places of numbers in ascending order. */

/** Runs of this length are sorted by insertion, before they are merged. */
const run = 16

/**
 * Places of the values from the smallest to the largest, equal ones in the order given: a merge sort without a call for each
 * comparison. Values must be numbers other than NaN.
 */
export function ascendingOrder(values: Float64Array): Uint32Array {
  const n = values.length
  let order = new Uint32Array(n)
  for (let i = 0; i < n; i++) order[i] = i
  for (let start = 0; start < n; start += run) insertionSort(values, order, start, Math.min(n, start + run))
  let other = new Uint32Array(n)
  for (let width = run; width < n; width *= 2) {
    for (let start = 0; start < n; start += 2 * width)
      merge(values, order, other, start, Math.min(n, start + width), Math.min(n, start + 2 * width))
    ;[order, other] = [other, order]
  }
  return order
}

function insertionSort(values: Float64Array, order: Uint32Array, start: number, end: number): void {
  for (let i = start + 1; i < end; i++) {
    const own = order[i]!
    let j = i
    for (; j > start && values[order[j - 1]!]! > values[own]!; j--) order[j] = order[j - 1]!
    order[j] = own
  }
}

/** Merges the sorted places `start … middle` and `middle … end`. */
function merge(
  values: Float64Array,
  from: Uint32Array,
  to: Uint32Array,
  start: number,
  middle: number,
  end: number,
): void {
  let [i, j] = [start, middle]
  for (let k = start; k < end; k++)
    to[k] = j >= end || (i < middle && values[from[i]!]! <= values[from[j]!]!) ? from[i++]! : from[j++]!
}
