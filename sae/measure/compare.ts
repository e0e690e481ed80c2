/**
 * Which latents of one SAE are in another: decoder rows matched one to one by their cosine.
 *
 *   mcc      mean |cosine| over the best one-to-one matching (Hungarian)
 *   shared   share of latents whose match has |cosine| of at least `threshold`
 *   null     the same share when the coordinates of B's rows are permuted: what matching alone finds in rows of that shape
 *
 * The matching is exact for up to 16,384 latents. Beyond, it is an auction among the 32 nearest of each latent, and
 * `mccBound` says how large the mean could be at most (assignment.ts).
 */
import { UserError } from '../../core/errors.ts'
import { Random } from '../../core/random.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import type { Sae } from '../sae.ts'
import { assignBounded, assignLargest, type Nearest } from './assignment.ts'

export interface Comparison {
  readonly mcc: number
  /** No one-to-one matching has a larger mean; `mcc` itself where the matching is exact. */
  readonly mccBound: number
  readonly shared: number
  readonly threshold: number
  /** Shares found in permuted rows, one a draw. */
  readonly null: readonly number[]
  /** Share of draws, the real one counted in, that share at least as much. */
  readonly p: number
  readonly exact: boolean
  /** For each latent of A: its match in B (−1 where B has fewer) and their |cosine|. */
  readonly match: Int32Array
  readonly stability: Float32Array
}

/** Latents above which the matching is no longer exact. */
export const exactLatents = 16_384

export interface CompareOptions {
  readonly threshold?: number
  /** Permutations of the null. */
  readonly draws?: number
  readonly seed?: number
  /** Latents up to which the matching is exact; default 16,384. */
  readonly exactUpTo?: number
}

/** Compares the decoders of two SAEs of equal output width. */
export function compareSaes(a: Sae, b: Sae, options: CompareOptions = {}): Comparison {
  if (a.outputs !== b.outputs)
    throw new UserError(`The SAEs write to different widths: ${a.outputs} and ${b.outputs}.`, {
      fix: 'Compare SAEs of one site.',
    })
  const [rowsA, rowsB] = [a.decoder(), b.decoder()]
  try {
    return compareRows(rowsA, rowsB, options)
  } finally {
    tf.dispose([rowsA, rowsB])
  }
}

/** Compares two sets of directions [latents, width]. */
export function compareRows(
  a: Tensor2D,
  b: Tensor2D,
  { threshold = 0.7, draws = 19, seed = 0, exactUpTo = exactLatents }: CompareOptions = {},
): Comparison {
  const real = matchRows(a, b, exactUpTo)
  const share = (found: { stability: Float32Array }) =>
    found.stability.reduce((count, value) => count + (value >= threshold ? 1 : 0), 0) / found.stability.length
  const shared = share(real)
  const random = new Random(seed, 'compare')
  const nulls = Array.from({ length: draws }, () => {
    const order = random.shuffle(Int32Array.from({ length: b.shape[1] }, (_, i) => i))
    const permuted = tf.tidy(() => tf.gather(b, tf.tensor1d(order, 'int32'), 1))
    const found = share(matchRows(a, permuted, exactUpTo))
    permuted.dispose()
    return found
  })
  const pairs = Math.min(a.shape[0], b.shape[0])
  const mcc = real.stability.reduce((sum, value) => sum + value, 0) / pairs
  return {
    mcc,
    mccBound: real.upper === undefined ? mcc : Math.min(1, Math.max(mcc, real.upper / pairs)),
    shared,
    threshold,
    null: nulls,
    p: (1 + nulls.filter(value => value >= shared).length) / (1 + draws),
    exact: real.upper === undefined,
    match: real.match,
    stability: real.stability,
  }
}

/**
 * The best one-to-one matching of rows by |cosine|, and the |cosine| of each row with its partner. Where there are more than
 * `exactUpTo` rows it is approximate, and `upper` is a sum of |cosines| that no matching exceeds.
 */
export function matchRows(
  a: Tensor2D,
  b: Tensor2D,
  exactUpTo = exactLatents,
): { match: Int32Array; stability: Float32Array; upper?: number } {
  const [n, m] = [a.shape[0], b.shape[0]]
  const { match, upper } =
    Math.max(n, m) <= exactUpTo ? { match: assignLargest(cosines(a, b), n, m), upper: undefined } : matchNearest(a, b)
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
  return { match, stability, ...(upper === undefined ? {} : { upper }) }
}

function matchNearest(a: Tensor2D, b: Tensor2D): { match: Int32Array; upper: number } {
  const [n, m] = [a.shape[0], b.shape[0]]
  if (n <= m) return assignBounded(nearest(a, b), n, m)
  const { match: turned, upper } = assignBounded(nearest(b, a), m, n)
  const match = new Int32Array(n).fill(-1)
  turned.forEach((i, j) => {
    match[i] = j
  })
  return { match, upper }
}

function unit(rows: Tensor2D): Tensor2D {
  return tf.divNoNan(rows, tf.sqrt(rows.square().sum(1, true))) as Tensor2D
}

/** |cosine| of every pair, row by row. */
function cosines(a: Tensor2D, b: Tensor2D): Float32Array {
  const product = tf.tidy(() => tf.matMul(unit(a), unit(b), false, true).abs())
  const values = product.dataSync() as Float32Array
  product.dispose()
  return values
}

/** The nearest partners of each row of A, in pieces, where all pairs would not fit into memory. */
function nearest(a: Tensor2D, b: Tensor2D, count = 32, piece = 1024): Nearest {
  const kept = Math.min(count, b.shape[0])
  const index = new Int32Array(a.shape[0] * kept)
  const value = new Float32Array(index.length)
  const columns = tf.tidy(() => unit(b))
  for (let start = 0; start < a.shape[0]; start += piece) {
    const [values, indices] = tf.tidy(() => {
      const rows = a.slice([start, 0], [Math.min(piece, a.shape[0] - start), a.shape[1]])
      const found = tf.topk(tf.matMul(unit(rows), columns, false, true).abs(), kept)
      return [found.values, found.indices]
    })
    value.set(values!.dataSync(), start * kept)
    index.set(indices!.dataSync(), start * kept)
    tf.dispose([values!, indices!])
  }
  columns.dispose()
  return { index, value, count: kept }
}
