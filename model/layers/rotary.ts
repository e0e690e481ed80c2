/**
 * Rotary position embeddings (Su et al. 2021, arXiv:2104.09864) over the first elements of each head; the rest pass through.
 * A pair (a, b) becomes (a cos − b sin, b cos + a sin) with angle = position · frequency. Pairs are element i and i + half
 * (`halves`, as Hugging Face lays out Llama's) or elements 2i and 2i + 1 (`neighbours`: GPT-J, Cohere).
 */
import { type Tensor, tf } from '../../engine/tf.ts'

/** How heads rotate. Layers that rotate alike share one of these. */
export interface Rotary {
  /** Elements of a head that are rotated, or one more where that is odd. */
  readonly size: number
  readonly pairs: 'halves' | 'neighbours'
  /** Factor of cos and sin (yarn, longrope). */
  readonly factor: number
  /** One frequency a pair for a window of so many positions, rounded to float32 as the reference computes them. */
  frequencies(positions: number): Float32Array
}

/** cos and signed sin for every position, [position, 1, headDim]. */
export interface RotaryTable {
  readonly cos: Tensor
  readonly sin: Tensor
}

/** The table for positions first … first + positions − 1 of a window that ends there. */
export function rotaryTable(rotary: Rotary, headDim: number, positions: number, first = 0): RotaryTable {
  const { pairs, factor } = rotary
  const frequencies = rotary.frequencies(first + positions)
  const half = frequencies.length
  const cos = new Float32Array(positions * headDim).fill(1)
  const sin = new Float32Array(positions * headDim)
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround((first + position) * frequencies[i]!)
      const [one, other] = pairs === 'halves' ? [i, i + half] : [2 * i, 2 * i + 1]
      const row = position * headDim
      cos[row + one] = cos[row + other] = Math.cos(angle) * factor
      sin[row + other] = Math.sin(angle) * factor
      sin[row + one] = -sin[row + other]!
    }
  }
  return { cos: tf.tensor3d(cos, [positions, 1, headDim]), sin: tf.tensor3d(sin, [positions, 1, headDim]) }
}

/** Rotates queries or keys [batch, position, head, headDim]. */
export function rotate(x: Tensor, { size, pairs }: Rotary, table: RotaryTable): Tensor {
  return tf.tidy(() => {
    const swapped = pairs === 'halves' ? swapHalves(x, size / 2) : swapNeighbours(x, size)
    return x.mul(table.cos).add(swapped.mul(table.sin))
  })
}

function swapHalves(x: Tensor, half: number): Tensor {
  const rest = x.shape.at(-1)! - 2 * half
  const [first, second, through] = tf.split(x, rest > 0 ? [half, half, rest] : [half, half], -1)
  return tf.concat(through ? [second!, first!, through] : [second!, first!], -1)
}

/** Elements that are not rotated stay: their sines are 0. */
function swapNeighbours(x: Tensor, size: number): Tensor {
  const headDim = x.shape.at(-1)!
  const [rotated, through] = headDim > size ? tf.split(x, [size, headDim - size], -1) : [x]
  const [even, odd] = tf.split(rotated!.reshape([...x.shape.slice(0, -1), size / 2, 2]), 2, -1)
  const swapped = tf.concat([odd!, even!], -1).reshape([...x.shape.slice(0, -1), size])
  return through ? tf.concat([swapped, through], -1) : swapped
}
