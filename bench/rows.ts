/** Rows for SAEs to learn from, that are to random weights what real rows are to a trained SAE's. */
import { Random } from '../core/random.ts'
import { type Tensor2D, tf } from '../engine/tf.ts'

/**
 * Batches whose rows are sums of k of the dictionary's own directions, by Zipf's law with the first latents the commonest and
 * with sizes of 1 to 3: to these weights they are what real rows are to a trained SAE, with about k latents above 1.5. `rows` is a
 * multiple of 256.
 */
export function batchesOf(
  wDec: Tensor2D,
  { rows, k, batches }: { readonly rows: number; readonly k: number; readonly batches: number },
): Tensor2D[] {
  const [latents, width] = wDec.shape
  const random = new Random(2, 'rows')
  const sums = new Float64Array(latents)
  for (let i = 0, sum = 0; i < latents; i++) sums[i] = sum += 1 / (i + 30)
  const place = (at: number) => {
    let [low, high] = [0, latents - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (sums[middle]! < at) low = middle + 1
      else high = middle
    }
    return low
  }
  return Array.from({ length: batches }, () => {
    const chosen = Int32Array.from({ length: rows * k }, () => place(random.uniform() * sums[latents - 1]!))
    const sizes = Float32Array.from(chosen, () => 1 + 2 * random.uniform())
    const parts: Tensor2D[] = []
    for (let row = 0; row < rows; row += 256)
      parts.push(
        tf.tidy(() => {
          const some = (from: Int32Array | Float32Array) => from.slice(row * k, (row + 256) * k)
          const directions = wDec.gather(tf.tensor1d(some(chosen) as Int32Array, 'int32')).reshape([256, k, width])
          return directions.mul(tf.tensor3d(some(sizes) as Float32Array, [256, k, 1])).sum(1) as Tensor2D
        }),
      )
    const batch: Tensor2D = tf.concat(parts, 0)
    tf.dispose(parts)
    return batch
  })
}
