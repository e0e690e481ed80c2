/**
 * A logistic probe: the weights w that tell labelled tokens from others,
 *
 *   min Σ_i c_i · ln(1 + exp(−y_i (w·x_i / s + b))) + ½ ‖w‖²,   y = ±1,
 *
 * with c the weights that give both classes as much (n / 2n_class) and s the root of the values' mean variance, so that the
 * penalty does not hang on their scale. Newton's method with the Hessian solved by Cholesky; the objective is convex, and a step
 * that does not lower it is halved.
 */
import { onHost } from '../../engine/host.ts'
import { type Tensor1D, type Tensor2D, tf } from '../../engine/tf.ts'
import { positivesOf, type Supervised } from './supervised.ts'

/** Newton steps at most; a handful is enough where classes overlap. */
const mostSteps = 30
const mostHalvings = 20
/** A step that moves no weight by more than this share of the largest ends the search. */
const tolerance = 1e-5

export const probe: Supervised = {
  name: 'probe',
  text: 'a logistic probe',
  learn({ values: { values, tokens, width }, labels }) {
    const inside = positivesOf(labels)
    if (inside === 0 || inside === tokens) return undefined
    return fitProbe(values, labels, width)
  },
}

/** Weights w [width] of rows [rows, width] with labels 0 or 1, both of which there are. */
export function fitProbe(values: Float32Array, labels: Uint8Array, width: number): Float32Array {
  return fitLogistic(values, labels, width).weights
}

/** A classifier of rows: above 0 for those with the label. */
export interface Classifier {
  readonly weights: Float32Array
  readonly intercept: number
}

/** The same probe as a classifier of rows as they are: w·x + b. */
export function fitClassifier(values: Float32Array, labels: Uint8Array, width: number): Classifier {
  const { weights, intercept } = fitLogistic(values, labels, width)
  const rows = labels.length
  const mean = new Float64Array(width)
  for (let i = 0; i < values.length; i++) mean[i % width]! += values[i]! / rows
  let square = 0
  for (let i = 0; i < values.length; i++) square += (values[i]! - mean[i % width]!) ** 2
  const scale = Math.max(1e-30, Math.sqrt(square / values.length))
  const raw = weights.map(weight => weight / scale)
  return { weights: raw, intercept: intercept - raw.reduce((sum, weight, j) => sum + weight * mean[j]!, 0) }
}

/** w·x + b of a row of rows [rows, width]. */
export function classify({ weights, intercept }: Classifier, values: Float32Array, row: number): number {
  const width = weights.length
  let sum = intercept
  for (let j = 0; j < width; j++) sum += weights[j]! * values[row * width + j]!
  return sum
}

function fitLogistic(values: Float32Array, labels: Uint8Array, width: number): Classifier {
  const rows = labels.length
  const inside = positivesOf(labels)
  const [x, y, c] = tf.tidy(() => {
    const raw = tf.tensor2d(values, [rows, width])
    const centred = raw.sub(raw.mean(0)) as Tensor2D
    const scaled = centred.div(centred.square().mean().sqrt().maximum(1e-30))
    const weight = [rows / (2 * (rows - inside)), rows / (2 * inside)] as const
    return [
      tf.concat([scaled, tf.ones([rows, 1])], 1),
      tf.tensor1d(Float32Array.from(labels)),
      tf.tensor1d(Float32Array.from(labels, label => weight[label === 1 ? 1 : 0])),
    ] as [Tensor2D, Tensor1D, Tensor1D]
  })
  try {
    let w = new Float64Array(width + 1)
    let { loss, gradient, hessian } = derivatives(x, y, c, w)
    for (let step = 0; step < mostSteps; step++) {
      const move = solve(hessian, gradient)
      let scale = 1
      let next = w
      let found = { loss, gradient, hessian }
      for (let half = 0; half < mostHalvings; half++, scale /= 2) {
        const tried = w.map((value, i) => value - scale * move[i]!)
        const there = derivatives(x, y, c, tried)
        if (!(there.loss < loss)) continue
        next = tried
        found = there
        break
      }
      if (next === w) break
      const largest = next.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
      const moved = next.reduce((most, value, i) => Math.max(most, Math.abs(value - w[i]!)), 0)
      w = next
      ;({ loss, gradient, hessian } = found)
      if (moved <= tolerance * largest) break
    }
    return { weights: Float32Array.from(w.subarray(0, width)), intercept: w[width]! }
  } finally {
    tf.dispose([x, y, c])
  }
}

/** The objective with its gradient and Hessian at w; the last weight is the intercept, which is not penalised. */
function derivatives(x: Tensor2D, y: Tensor1D, c: Tensor1D, w: Float64Array) {
  const count = w.length
  const all = onHost(() => {
    const z = x.matMul(tf.tensor2d(Float32Array.from(w), [count, 1])).reshape<Tensor1D>([-1])
    // ln(1 + e^z) − y z for labels 0 and 1.
    const losses = z.softplus().sub(y.mul(z)).mul(c)
    const p = z.sigmoid()
    const gradient = x.matMul(p.sub(y).mul(c).expandDims(1), true)
    const hessian = x.matMul(x.mul(p.mul(tf.scalar(1).sub(p)).mul(c).expandDims(1)), true)
    return tf.concat([losses.sum().reshape([1]), gradient.reshape([-1]), hessian.reshape([-1])]).dataSync<'float32'>()
  }) as Float32Array
  let loss = all[0]!
  const gradient = Float64Array.from(all.subarray(1, 1 + count))
  const hessian = Float64Array.from(all.subarray(1 + count))
  for (let j = 0; j < count - 1; j++) {
    loss += (w[j]! * w[j]!) / 2
    gradient[j]! += w[j]!
    hessian[j * count + j]! += 1
  }
  // A tiny part for the intercept, so that the matrix can be inverted where nothing is left to tell.
  hessian[count * count - 1]! += 1e-6
  return { loss, gradient, hessian }
}

/** The solution of A v = g for a symmetric positive definite A [n, n], by Cholesky's decomposition. */
function solve(a: Float64Array, g: Float64Array): Float64Array {
  const n = g.length
  const l = new Float64Array(n * n)
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j]!
      for (let k = 0; k < j; k++) sum -= l[i * n + k]! * l[j * n + k]!
      l[i * n + j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / l[j * n + j]!
    }
  const v = g.slice()
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) v[i]! -= l[i * n + k]! * v[k]!
    v[i]! /= l[i * n + i]!
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) v[i]! -= l[k * n + i]! * v[k]!
    v[i]! /= l[i * n + i]!
  }
  return v
}
