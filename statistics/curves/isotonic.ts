/** Isotonic regression by pooling adjacent violators (Ayer et al. 1955): the nearest curve that only rises, or only falls. */
import { checkNumber, checkParallel, checkValues } from '../check.ts'

export interface Isotonic {
  /** The fitted values, in the order of `y`. */
  readonly fitted: Float64Array
  /** Σ w·(y − fitted)². */
  readonly residual: number
  /** Share of the weighted variance that the curve explains; null where y does not vary. */
  readonly rSquared: number | null
}

/** The weighted least-squares fit to y in the order of rising doses, weights above 0 (1 where left out). */
export function isotonic(
  y: ArrayLike<number>,
  { weights, falling = false }: { weights?: ArrayLike<number>; falling?: boolean } = {},
): Isotonic {
  checkValues('y', y)
  const w = weights ?? new Float64Array(y.length).fill(1)
  checkParallel('y', y, 'weights', w)
  checkValues('weights', w)
  const sign = falling ? -1 : 1
  const blocks: { value: number; weight: number; count: number }[] = []
  for (let i = 0; i < y.length; i++) {
    checkNumber(`weights[${i}]`, w[i]!, Number.MIN_VALUE)
    let block = { value: sign * y[i]!, weight: w[i]!, count: 1 }
    for (let last = blocks.at(-1); last !== undefined && last.value >= block.value; last = blocks.at(-1)) {
      const weight = last.weight + block.weight
      // As a step from one value to the other, so that equal values stay equal.
      const value = last.value + (block.weight / weight) * (block.value - last.value)
      block = { value, weight, count: last.count + block.count }
      blocks.pop()
    }
    blocks.push(block)
  }
  const fitted = new Float64Array(y.length)
  let place = 0
  for (const { value, count } of blocks) {
    fitted.fill(sign * value, place, place + count)
    place += count
  }
  let [sum, total, residual, spread] = [0, 0, 0, 0]
  for (let i = 0; i < y.length; i++) {
    sum += w[i]! * y[i]!
    total += w[i]!
  }
  for (let i = 0; i < y.length; i++) {
    residual += w[i]! * (y[i]! - fitted[i]!) ** 2
    spread += w[i]! * (y[i]! - sum / total) ** 2
  }
  return { fitted, residual, rSquared: spread === 0 ? null : 1 - residual / spread }
}
