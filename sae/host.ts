/** Values of a computation on the host, with nothing left behind. */
import { type Tensor, tf } from '../engine/tf.ts'

/** Runs `compute` and copies what it gives; every tensor it makes is freed. */
export function hostValues(compute: () => Tensor): Float32Array | Int32Array {
  const tensor = tf.tidy(compute)
  const values = tensor.dataSync().slice() as Float32Array | Int32Array
  tensor.dispose()
  return values
}
