/** What ratios that were measured in turns say beyond the noise of the machine. */

/** How sure one must be that a median is not larger before something is called slow. */
const certainty = 0.99

/** The least number of ratios of which any bound can be that sure: the largest of seven is below the median once in 128 times. */
export const fewestRounds = 7

/** The middle one of the values, the lower of two. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[(values.length - 1) >> 1]!
}

/**
 * What the median of the quantity is at most, with a certainty of 99 %, whatever its distribution: the least of the sorted values of which
 * so few lie above that the sign test allows it (Conover, Practical Nonparametric Statistics, 3.2). Infinite below seven values.
 */
export function medianAtMost(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const n = sorted.length
  // The chance that at most `above` of n values are larger than their median.
  let chance = 0.5 ** n
  let bound = Number.POSITIVE_INFINITY
  for (let above = 0, term = chance; above < n && chance <= 1 - certainty; above++) {
    bound = sorted[n - 1 - above]!
    term *= (n - above) / (above + 1)
    chance += term
  }
  return bound
}

/**
 * Whether what has these ratios to its plain version (how many times as fast, a list for each clock) is slower than it by more than
 * `margin`, beyond noise: by one of the clocks the median ratio is below 1 − margin with a certainty of 99 %.
 */
export function isSlower(ratios: readonly (readonly number[])[], margin: number): boolean {
  return ratios.some(each => medianAtMost(each) < 1 - margin)
}
