/** The best one-to-one matching of two sets of directions by |cosine|. */
import { hostValues } from '../../engine/host.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import { boundedMatching, largestMatching, type Nearest, type Pieces } from './assignment.ts'

/** Latents above which the matching is no longer exact. */
export const exactLatents = 16_384

export interface Matched {
  /** The row of B of each row of A, −1 where it has none. */
  readonly match: Int32Array
  /** Their |cosine|, 0 where there is none. */
  readonly stability: Float32Array
  /** Where the matching is not exact: a sum of |cosines| that no matching exceeds. */
  readonly upper?: number
}

/** Rows that are 0 throughout: they have no direction, so no cosine and no partner. */
export function zeroRows(rows: Tensor2D): number[] {
  const largest = hostValues(() => rows.abs().max(1))
  return [...largest.keys()].filter(row => largest[row] === 0)
}

/** Matches rows of A [latents, width] with rows of B, exactly up to `exactUpTo` rows and by auction beyond. */
export function* matchRows(a: Tensor2D, b: Tensor2D, exactUpTo = exactLatents): Pieces<Matched> {
  const [n, m] = [a.shape[0], b.shape[0]]
  const { match, upper } =
    Math.max(n, m) <= exactUpTo
      ? { match: yield* largestMatching(cosines(a, b), n, m), upper: undefined }
      : yield* matchNearest(a, b)
  const stability = new Float32Array(n)
  const pairs = tf.tidy(() => {
    const rows = unit(a)
    const partners = tf.gather(
      unit(b),
      tf.tensor1d(
        match.map(j => Math.max(0, j)),
        'int32',
      ),
    )
    return rows.mul(partners).sum(1).abs()
  })
  pairs.dataSync().forEach((value: number, i: number) => {
    stability[i] = match[i]! < 0 ? 0 : Math.min(1, value)
  })
  pairs.dispose()
  for (const i of zeroRows(a)) match[i] = -1
  const silent = new Set(zeroRows(b))
  match.forEach((j, i) => {
    if (silent.has(j)) match[i] = -1
  })
  return { match, stability, ...(upper === undefined ? {} : { upper }) }
}

function* matchNearest(a: Tensor2D, b: Tensor2D): Pieces<{ match: Int32Array; upper: number }> {
  const [n, m] = [a.shape[0], b.shape[0]]
  if (n <= m) return yield* boundedMatching(yield* nearest(a, b), n, m)
  const { match: turned, upper } = yield* boundedMatching(yield* nearest(b, a), m, n)
  const match = new Int32Array(n).fill(-1)
  turned.forEach((i, j) => {
    match[i] = j
  })
  return { match, upper }
}

/** Rows of length 1, however small or large they are; a row of zeros stays one. */
export function unit(rows: Tensor2D): Tensor2D {
  const scaled = tf.divNoNan(rows, rows.abs().max(1, true))
  return tf.divNoNan(scaled, tf.sqrt(scaled.square().sum(1, true))) as Tensor2D
}

/** |cosine| of every pair, row by row. */
function cosines(a: Tensor2D, b: Tensor2D): Float32Array {
  const product = tf.tidy(() => tf.matMul(unit(a), unit(b), false, true).abs())
  const values = product.dataSync() as Float32Array
  product.dispose()
  return values
}

/** The nearest partners of each row of A, in pieces, where all pairs would not fit into memory. */
function* nearest(a: Tensor2D, b: Tensor2D, count = 32, piece = 1024): Pieces<Nearest> {
  const kept = Math.min(count, b.shape[0])
  const index = new Int32Array(a.shape[0] * kept)
  const value = new Float32Array(index.length)
  const columns = tf.tidy(() => unit(b))
  try {
    for (let start = 0; start < a.shape[0]; start += piece) {
      yield
      const [values, indices] = tf.tidy(() => {
        const rows = a.slice([start, 0], [Math.min(piece, a.shape[0] - start), a.shape[1]])
        const found = tf.topk(tf.matMul(unit(rows), columns, false, true).abs(), kept)
        return [found.values, found.indices]
      })
      value.set(values!.dataSync(), start * kept)
      index.set(indices!.dataSync(), start * kept)
      tf.dispose([values!, indices!])
    }
  } finally {
    columns.dispose()
  }
  return { index, value, count: kept }
}
