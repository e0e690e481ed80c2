/**
 * Directions of the features: random unit rows, made less parallel by some steps of Adam on
 *
 *   Σ_{i≠j} (d_i · d_j)² + n Σ_i (‖d_i‖² − 1)²  =  ‖DᵀD‖² − Σ_i ‖d_i‖⁴ + n Σ_i (‖d_i‖² − 1)²
 *
 * and brought back to norm 1. The right-hand side needs products of D with a [width, width] matrix only, where all pairs
 * would be [features, features]; its gradient is 4 D DᵀD − 4 ‖d_i‖² d_i + 4 n (‖d_i‖² − 1) d_i.
 */
import type { Random } from '../../core/random.ts'
import { callOp, hasOp, noTensor } from '../../engine/ops/native.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'

const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-8]

/** `features` random rows of norm 1; [features × width]. */
export function randomRows(features: number, width: number, random: Random): Float32Array {
  const rows = random.normals(features * width)
  normaliseRows(rows, width)
  return rows
}

/** Makes every row's norm 1, in place. */
function normaliseRows(rows: Float32Array, width: number): void {
  for (let start = 0; start < rows.length; start += width) {
    let square = 0
    for (let i = start; i < start + width; i++) square += rows[i]! * rows[i]!
    const scale = 1 / Math.sqrt(square || 1)
    for (let i = start; i < start + width; i++) rows[i]! *= scale
  }
}

/** The gradient of the objective for rows [features, width]. */
export function overlapGradient(rows: Tensor2D): Tensor2D {
  return tf.tidy(() => {
    const count = rows.shape[0]
    const gram = product(tf.transpose(rows), rows)
    const squares = rows.square().sum(1, true)
    const own = squares.mul(-4).add(squares.sub(1).mul(4 * count))
    return product(rows, gram).mul(4).add(rows.mul(own))
  }) as Tensor2D
}

/** The rows after `steps` steps of Adam; `onStep` is told how many are done. */
export async function orthogonalise(
  rows: Float32Array,
  width: number,
  { steps, rate, onStep }: { steps: number; rate: number; onStep?: (done: number) => Promise<void> },
): Promise<Float32Array> {
  if (steps === 0) return rows
  let state = tf.tidy(() => {
    const weight = tf.tensor2d(rows, [rows.length / width, width])
    return { weight, first: tf.zerosLike(weight), second: tf.zerosLike(weight) }
  })
  for (let step = 1; step <= steps; step++) {
    const { weight, first, second } = state
    state = tf.tidy(() => {
      const gradient = overlapGradient(weight)
      const mean = first.mul(beta1).add<Tensor2D>(gradient.mul(1 - beta1))
      const square = second.mul(beta2).add<Tensor2D>(gradient.square().mul(1 - beta2))
      const size = square.mul(1 / (1 - beta2 ** step)).sqrt()
      const move = mean.mul(rate / (1 - beta1 ** step)).div(size.add(epsilon))
      return { weight: weight.sub<Tensor2D>(move), first: mean, second: square }
    })
    tf.dispose([weight, first, second])
    await onStep?.(step)
  }
  const result = Float32Array.from(state.weight.dataSync())
  tf.dispose([state.weight, state.first, state.second])
  normaliseRows(result, width)
  return result
}

/** a b in float32 whatever the engine's precision, and by the op that gives the same bytes on any number of threads. */
function product(a: Tensor2D, b: Tensor2D): Tensor2D {
  if (!hasOp('PipelineLinearFloat')) return tf.matMul(a, b)
  const attributes = { transposed: false, after: { int: 0 } }
  return callOp('PipelineLinearFloat', attributes, [a, b, noTensor(), noTensor()], 1)[0] as Tensor2D
}
