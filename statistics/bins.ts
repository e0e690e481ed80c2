/** Bins for values with a peak at 0, as latents have: 0 is a bin of its own, the nonzeros are cut at their quantiles. */
import { checkCount, checkValues } from './check.ts'
import { quantileOfSorted } from './descriptive.ts'

/** Inner edges, rising and different, of at most `count` bins of the reference's nonzero values. */
export function quantileEdges(reference: ArrayLike<number>, count = 10): Float64Array {
  checkValues('reference', reference)
  checkCount('count', count, 1)
  const nonzero = Float64Array.from(reference).filter(value => value !== 0)
  nonzero.sort()
  if (nonzero.length === 0) return new Float64Array(0)
  const edges = Array.from({ length: count - 1 }, (_, i) => quantileOfSorted(nonzero, (i + 1) / count))
  return Float64Array.from(new Set(edges))
}

/** Each value's bin: 0 for 0, else 1 + the number of edges that lie below the value. */
export function binned(values: ArrayLike<number>, edges: Float64Array): Uint32Array {
  checkValues('values', values)
  return Uint32Array.from(values, value => {
    if (value === 0) return 0
    let low = 0
    let high = edges.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (edges[middle]! < value) low = middle + 1
      else high = middle
    }
    return 1 + low
  })
}
