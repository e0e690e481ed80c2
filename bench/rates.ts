/** What the machine reaches, to hold a step's rates against. */
import { linear } from '../engine/ops/linear.ts'
import { addBias } from '../engine/ops/norm.ts'
import { type Tensor2D, tf } from '../engine/tf.ts'

let state = 1
/** Uniform values of deviation 1, quickly. */
function random(shape: [number, number]): Tensor2D {
  const values = new Float32Array(shape[0] * shape[1])
  for (let i = 0; i < values.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    values[i] = state * (1.732 / 2 ** 31)
  }
  return tf.tensor2d(values, shape)
}

/** Best seconds of nine. */
function best(run: () => void): number {
  const seconds = Array.from({ length: 9 }, () => {
    const start = performance.now()
    run()
    return (performance.now() - start) / 1000
  })
  return Math.min(...seconds)
}

/** GFLOP/s of the faster of TensorFlow's product and ours, of a batch of rows by a square of weights. */
export function matmulRate(rows: number, width: number): number {
  const [a, b] = [random([rows, width]), random([width, rows])]
  const seconds = Math.min(
    best(() => tf.matMul(a, b).dispose()),
    best(() => linear(a, b, { layout: 'in-out' }).dispose()),
  )
  tf.dispose([a, b])
  return (2 * rows * width * rows) / seconds / 1e9
}

/** GB/s of a sum of two arrays into a third, 64 MB each. */
export function bandwidth(): number {
  const [a, b] = [random([16384, 1024]), random([16384, 1024])]
  const seconds = best(() => addBias(a, b, null).dispose())
  tf.dispose([a, b])
  return (3 * 4 * 16384 * 1024) / seconds / 1e9
}
