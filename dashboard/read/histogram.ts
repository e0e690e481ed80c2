/** How numbers are distributed, in equal parts of their range or of its logarithm. */

export interface NumberHistogram {
  /** One more than counts; the last bin holds its upper edge. Empty where no number is there. */
  readonly edges: number[]
  readonly counts: number[]
  /** NaN among the values, and those that a log scale cannot show. */
  readonly missing: number
  readonly notShown: number
}

/** The histogram of the values at these rows. */
export function histogramOf(
  values: Float64Array,
  rows: Int32Array,
  bins: number,
  scale: 'linear' | 'log',
): NumberHistogram {
  const shown: number[] = []
  let [missing, notShown] = [0, 0]
  for (const row of rows) {
    const value = values[row]!
    if (Number.isNaN(value)) missing++
    else if (scale === 'log' && value <= 0) notShown++
    else shown.push(scale === 'log' ? Math.log10(value) : value)
  }
  if (shown.length === 0) return { edges: [], counts: [], missing, notShown }
  let least = Number.POSITIVE_INFINITY
  let most = Number.NEGATIVE_INFINITY
  for (const value of shown) {
    if (value < least) least = value
    if (value > most) most = value
  }
  const width = (most - least) / bins
  const counts = new Array<number>(bins).fill(0)
  for (const value of shown) counts[width > 0 ? Math.min(bins - 1, Math.floor((value - least) / width)) : 0]!++
  const edges = Array.from({ length: bins + 1 }, (_, i) => (i === bins ? most : least + i * width))
  return { edges: scale === 'log' ? edges.map(edge => 10 ** edge) : edges, counts, missing, notShown }
}
