/** The jackknife over clusters (Quenouille 1956; Tukey 1958): the statistic with each cluster left out in turn. */

/** The statistic of the sample without its i-th entry, for each i; null where it is not defined. */
export function jackknife(sample: Uint32Array, statistic: (sample: Uint32Array) => number | null): (number | null)[] {
  const rest = sample.slice(1)
  const left: (number | null)[] = []
  for (let i = 0; i < sample.length; i++) {
    if (i > 0) rest[i - 1] = sample[i - 1]!
    left.push(statistic(rest))
  }
  return left
}

/** √((n − 1)/n · Σ (θ₍ᵢ₎ − θ̄)²); null for fewer than two entries and where the statistic is undefined without one. */
export function jackknifeError(sample: Uint32Array, statistic: (sample: Uint32Array) => number | null): number | null {
  return sample.length < 2 ? null : jackknifeErrorOf(jackknife(sample, statistic))
}

/** The same of the statistics with each cluster left out; null for fewer than two and where one is not defined. */
export function jackknifeErrorOf(left: readonly (number | null)[]): number | null {
  const n = left.length
  if (n < 2) return null
  let centre = 0
  for (const value of left) {
    if (value === null) return null
    centre += value / n
  }
  let squares = 0
  for (const value of left) squares += (value! - centre) ** 2
  return Math.sqrt(((n - 1) / n) * squares)
}
