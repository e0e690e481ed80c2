/** A tidy whose result is no tensor. */
import { tf } from '../engine/tf.ts'

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
