/**
 * Rotary position embeddings, half-split convention (Su et al. 2021, arXiv:2104.09864, as Hugging Face lays them out):
 *
 *   rot([x1, x2]) = [x1 cos − x2 sin, x2 cos + x1 sin],   angle = position · frequency
 *
 * over the first `2 · frequencies.length` elements of each head; the rest pass through.
 */
import { type Tensor, tf } from '../../engine/tf.ts'

/** One frequency for each pair of rotated elements, rounded to float32 as the reference computes them. */
export type RotaryFrequencies = Float32Array

/** cos and signed sin for every position, [position, 1, headDim]. */
export interface RotaryTable {
  readonly cos: Tensor
  readonly sin: Tensor
}

/** The table for positions first … first + positions − 1. */
export function rotaryTable(
  frequencies: RotaryFrequencies,
  headDim: number,
  positions: number,
  first = 0,
): RotaryTable {
  const half = frequencies.length
  const cos = new Float32Array(positions * headDim).fill(1)
  const sin = new Float32Array(positions * headDim)
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround((first + position) * frequencies[i]!)
      const row = position * headDim + i
      cos[row] = cos[row + half] = Math.cos(angle)
      sin[row + half] = Math.sin(angle)
      sin[row] = -sin[row + half]!
    }
  }
  return { cos: tf.tensor3d(cos, [positions, 1, headDim]), sin: tf.tensor3d(sin, [positions, 1, headDim]) }
}

/** Rotates queries or keys [batch, position, head, headDim]. */
export function rotate(x: Tensor, half: number, table: RotaryTable): Tensor {
  return tf.tidy(() => {
    const rest = x.shape.at(-1)! - 2 * half
    const [first, second, through] = tf.split(x, rest > 0 ? [half, half, rest] : [half, half], -1)
    const swapped = tf.concat(through ? [second!, first!, through] : [second!, first!], -1)
    return x.mul(table.cos).add(swapped.mul(table.sin))
  })
}
