/** The attention weights of each head apart: W_Q, W_K, W_V [head, width, headDim] and W_O [head, headDim, width]. */
import { type Tensor, tf } from '../engine/tf.ts'
import type { LinearNames, ProjectionNames } from './architecture.ts'
import type { ModelConfig } from './model.ts'

/** One value each for queries, keys and values. */
export interface Projection<T> {
  q: T
  k: T
  v: T
}

/** Weights [head, width, headDim] and biases [head, headDim] (null where the layers have none). */
export function projectionByHead(
  weights: Readonly<Record<string, Tensor>>,
  projection: ProjectionNames,
  { heads, kvHeads, headDim, width }: ModelConfig,
): { weights: Projection<Tensor>; biases: Projection<Tensor> | null } {
  if (projection.form === 'separate') {
    const matrix = (names: LinearNames, count: number) =>
      names.layout === 'out-in'
        ? weights[names.weight]!.reshape([count, headDim, width]).transpose([0, 2, 1])
        : weights[names.weight]!.reshape([width, count, headDim]).transpose([1, 0, 2])
    const { q, k, v } = projection
    return {
      weights: { q: matrix(q, heads), k: matrix(k, kvHeads), v: matrix(v, kvHeads) },
      biases: q.bias
        ? {
            q: weights[q.bias]!.reshape([heads, headDim]),
            k: weights[k.bias!]!.reshape([kvHeads, headDim]),
            v: weights[v.bias!]!.reshape([kvHeads, headDim]),
          }
        : null,
    }
  }
  const { qkv, form } = projection
  const stored = weights[qkv.weight]!
  const rows = qkv.layout === 'out-in' ? stored : stored.transpose()
  const { q, k, v } = splitProjection(rows.reshape([1, heads + 2 * kvHeads, headDim, width]), form, { heads, kvHeads })
  const turned = (x: Tensor) => x.squeeze([0]).transpose([0, 2, 1])
  const biases = qkv.bias
    ? splitProjection(weights[qkv.bias]!.reshape([1, heads + 2 * kvHeads, headDim]), form, { heads, kvHeads })
    : null
  return {
    weights: { q: turned(q), k: turned(k), v: turned(v) },
    biases: biases && { q: biases.q.squeeze([0]), k: biases.k.squeeze([0]), v: biases.v.squeeze([0]) },
  }
}

/** The heads of one product [rows, heads + 2 · kvHeads, …] as queries [rows, heads, …], keys and values [rows, kvHeads, …]. */
export function splitProjection(
  x: Tensor,
  form: 'together' | 'by group',
  { heads, kvHeads }: Pick<ModelConfig, 'heads' | 'kvHeads'>,
): Projection<Tensor> {
  const [rows, , ...rest] = x.shape as number[]
  if (form === 'together') {
    const [q, k, v] = tf.split(x, [heads, kvHeads, kvHeads], 1)
    return { q: q!, k: k!, v: v! }
  }
  const each = heads / kvHeads
  const grouped = x.reshape([rows!, kvHeads, each + 2, ...rest])
  const [q, k, v] = tf.split(grouped, [each, 1, 1], 2)
  return {
    q: q!.reshape([rows!, heads, ...rest]),
    k: k!.reshape([rows!, kvHeads, ...rest]),
    v: v!.reshape([rows!, kvHeads, ...rest]),
  }
}

/** The output layer's weights [head, headDim, width]. */
export function outputByHead(
  weights: Readonly<Record<string, Tensor>>,
  names: LinearNames,
  { heads, headDim, width }: ModelConfig,
): Tensor {
  const stored = weights[names.weight]!
  return names.layout === 'in-out'
    ? stored.reshape([heads, headDim, width])
    : stored.transpose().reshape([heads, headDim, width])
}
