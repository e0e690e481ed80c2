/**
 * The factor that brings rows to a size at which training works the same whatever the unit of the activations.
 *
 *   deviation     mean ‖x − x̄‖² = width: what an SAE has to explain has variance 1 a column
 *   mean-square   mean ‖x‖² = width
 *   mean-norm     mean ‖x‖ = √width
 *
 * Adam moves every weight by about the learning rate, in whatever unit its gradient is. Directions are of norm 1, and need
 * no unit; but biases are in that of the rows, and where rows are a thousand times smaller they jump a thousand times too far.
 */

export const rowScales = ['deviation', 'none', 'mean-norm', 'mean-square'] as const

/** Below this share of the rows' own size, the distance from their mean is rounding of float32. */
const leastDeviation = 1e-6

/** The factor for columns `from` to `to` of a sample of rows; 1 where they hold nothing but zeros. */
export function rowScale(
  sample: Float32Array,
  { columns, from, to }: { columns: number; from: number; to: number },
  kind: (typeof rowScales)[number] | number,
): number {
  if (typeof kind === 'number') return kind
  if (kind === 'none') return 1
  const rows = sample.length / columns
  let norms = 0
  let squares = 0
  for (let r = 0; r < rows; r++) {
    let square = 0
    for (let i = r * columns + from; i < r * columns + to; i++) square += sample[i]! * sample[i]!
    norms += Math.sqrt(square)
    squares += square
  }
  let size = kind === 'mean-norm' ? norms / rows : Math.sqrt(squares / rows)
  if (kind === 'deviation') {
    const deviation = Math.sqrt(squaredDistance(sample, { columns, from, to }) / rows)
    // Rows that are all equal have no deviation, and are brought to size by what they have.
    if (deviation > leastDeviation * size) size = deviation
  }
  return size > 0 ? Math.sqrt(to - from) / size : 1
}

/** Whether columns `from` to `to` of several rows differ by more than the rounding of float32 from row to row. */
export function rowsVary(
  sample: Float32Array,
  { columns, from, to }: { columns: number; from: number; to: number },
): boolean {
  let squares = 0
  for (let i = 0; i < sample.length; i++) {
    const column = i % columns
    if (column >= from && column < to) squares += sample[i]! * sample[i]!
  }
  return Math.sqrt(squaredDistance(sample, { columns, from, to })) > leastDeviation * Math.sqrt(squares)
}

/** Σ‖x − x̄‖² over the rows, in float64. */
function squaredDistance(
  sample: Float32Array,
  { columns, from, to }: { columns: number; from: number; to: number },
): number {
  const rows = sample.length / columns
  let total = 0
  for (let column = from; column < to; column++) {
    let mean = 0
    for (let i = column; i < sample.length; i += columns) mean += sample[i]! / rows
    for (let i = column; i < sample.length; i += columns) total += (sample[i]! - mean) ** 2
  }
  return total
}
