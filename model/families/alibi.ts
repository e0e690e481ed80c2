/** Attention with linear biases (Press et al. 2022, arXiv:2108.12409): each head prefers near keys by a slope of its own. */

/** Slopes of the heads: a geometric series for a power of two, and every other one of the next series for the rest. */
export function alibiSlopes(heads: number): number[] {
  const power = 2 ** Math.floor(Math.log2(heads))
  const series = (count: number) => Math.fround(2 ** -(2 ** -(Math.log2(count) - 3)))
  const [base, extra] = [series(power), series(2 * power)]
  return Array.from({ length: heads }, (_, head) =>
    Math.fround(head < power ? base ** (head + 1) : extra ** (2 * (head - power) + 1)),
  )
}

/**
 * What each head adds to its scores by the key's position [heads, positions]: slope · position, which differs from slope ·
 * (key − query) by what a softmax does not see.
 */
export function alibiOf(heads: number, round: (value: number) => number = value => value) {
  const slopes = alibiSlopes(heads).map(round)
  return (positions: number): Float32Array =>
    Float32Array.from({ length: heads * positions }, (_, i) =>
      round(slopes[Math.floor(i / positions)]! * (i % positions)),
    )
}
