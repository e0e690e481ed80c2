/** Principal directions of the site's values, each with both its signs: what linear structure gives without sparsity. */
import { Random } from '../../core/random.ts'
import { onHost } from '../../engine/host.ts'
import { tf } from '../../engine/tf.ts'
import type { SiteValues } from '../../latents/projections.ts'
import { randomUnits } from '../claims/tied.ts'
import type { Baseline } from './baseline.ts'
import { tiedSae } from './made.ts'

/** Most directions; further ones hold little of what varies. */
const mostDirections = 128
/** Steps of the iteration, after which directions of clearly different variance are apart. */
const steps = 60

export const pca: Baseline = {
  text: 'principal directions',
  byDefault: true,
  drawn: false,
  async make(source) {
    const { sae } = source.material
    const { width } = sae
    const count = Math.min(mostDirections, width, Math.max(1, Math.floor(sae.latents / 2)))
    const found = principalDirections(source.values, count)
    const both = new Float32Array(2 * found.length)
    for (let i = 0; i < count; i++)
      for (let j = 0; j < width; j++) {
        both[2 * i * width + j] = found[i * width + j]!
        both[(2 * i + 1) * width + j] = -found[i * width + j]!
      }
    // So few latents, k of them a row, would fire far more often than those under test.
    const made = tiedSae(source, both, true)
    return { sae: made, dispose: () => made.dispose() }
  },
}

/** The `count` leading eigenvectors of the covariance of centred values, row by row, by orthogonal iteration. */
export function principalDirections({ values, tokens, width }: SiteValues, count: number): Float32Array {
  const covariance = tf.tidy(() => {
    const x = tf.tensor2d(values, [tokens, width])
    return x.matMul(x, true).div(tokens)
  })
  let rows = randomUnits(count, width, new Random('principal directions'))
  orthonormalise(rows, width)
  for (let step = 0; step < steps; step++) {
    rows = onHost(
      () => tf.tensor2d(rows, [count, width]).matMul(covariance).dataSync<'float32'>() as Float32Array,
    ).slice()
    orthonormalise(rows, width)
  }
  covariance.dispose()
  return rows
}

/** Σ row². */
function squareOf(row: Float64Array): number {
  let square = 0
  for (let j = 0; j < row.length; j++) square += row[j]! * row[j]!
  return square
}

/** A row of which less is left was mostly in the others' span: what was taken away has left its rounding. */
const shareKept = 0.5

/**
 * Makes rows orthogonal and of length 1, first ones first, in place (modified Gram and Schmidt; twice where much is taken away,
 * which is enough: Daniel, Gragg, Kaufman and Stewart 1976). A row within the span of those before it, as of values that vary
 * along fewer directions than there are rows, is the first axis that is not. In float64 throughout: rows whose length is 1 to
 * float32 alone leave 10⁻⁸ of what is taken away.
 */
function orthonormalise(rows: Float32Array, width: number): void {
  const made: Float64Array[] = []
  for (let from = 0; from < rows.length; from += width) {
    let row = apartFrom(made, Float64Array.from(rows.subarray(from, from + width)))
    for (let axis = 0; !row && axis < width; axis++)
      row = apartFrom(
        made,
        Float64Array.from({ length: width }, (_, j) => (j === axis ? 1 : 0)),
      )
    made.push(row!)
    rows.set(row!, from)
  }
}

/** A row less what it has of others, which are orthonormal, at length 1; undefined where it is nothing but them. */
function apartFrom(others: readonly Float64Array[], row: Float64Array): Float64Array | undefined {
  let [before, square] = [squareOf(row), takeAway(others, row)]
  if (square <= shareKept * before) {
    ;[before, square] = [square, takeAway(others, row)]
    if (square <= shareKept * before) return undefined
  }
  const norm = Math.sqrt(square)
  return row.map(x => x / norm)
}

/** Takes from a row, in place, what it has of others; the square of what is left. */
function takeAway(others: readonly Float64Array[], row: Float64Array): number {
  for (const other of others) {
    let dot = 0
    for (let j = 0; j < row.length; j++) dot += row[j]! * other[j]!
    for (let j = 0; j < row.length; j++) row[j]! -= dot * other[j]!
  }
  return squareOf(row)
}
