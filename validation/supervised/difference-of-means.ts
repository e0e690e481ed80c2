/** The mean of the values at labelled tokens less that at all others. */
import { positivesOf, type Supervised } from './supervised.ts'

export const differenceOfMeans: Supervised = {
  name: 'difference-of-means',
  text: 'the difference of means',
  learn({ values: { values, tokens, width }, labels }) {
    const inside = positivesOf(labels)
    if (inside === 0 || inside === tokens) return undefined
    const sums = [new Float64Array(width), new Float64Array(width)] as const
    for (let row = 0; row < tokens; row++) {
      const sum = sums[labels[row] === 1 ? 1 : 0]
      for (let j = 0; j < width; j++) sum[j]! += values[row * width + j]!
    }
    return Float32Array.from({ length: width }, (_, j) => sums[1][j]! / inside - sums[0][j]! / (tokens - inside))
  },
}
