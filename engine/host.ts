/** Values of a computation on the host, with no tensor left behind. */
import { type Tensor, tf } from './tf.ts'

/**
 * Runs `work` in a tidy and returns what it computed on the host. (tf.tidy itself would walk every element of a
 * returned typed array in search of tensors.)
 */
export function onHost<T>(work: () => T): T {
  let result: T | undefined
  tf.tidy(() => {
    result = work()
  })
  return result as T
}

/** Runs `compute` and copies what it gives; every tensor it makes is freed. */
export function hostValues(compute: () => Tensor): Float32Array | Int32Array {
  const tensor = tf.tidy(compute)
  const values = tensor.dataSync().slice() as Float32Array | Int32Array
  tensor.dispose()
  return values
}
