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

/** A row of which less is left is made orthogonal once more: what was taken away has left its rounding. */
const shareKept = 0.5

/**
 * Makes rows orthogonal and of length 1, first ones first, in place (modified Gram and Schmidt; twice where much is taken away,
 * which is enough: Daniel, Gragg, Kaufman and Stewart 1976).
 */
function orthonormalise(rows: Float32Array, width: number): void {
  const count = rows.length / width
  for (let i = 0; i < count; i++) {
    const row = Float64Array.from(rows.subarray(i * width, (i + 1) * width))
    let square = squareOf(row)
    for (let pass = 0; pass < 2; pass++) {
      const before = square
      for (let other = 0; other < i; other++) {
        const from = other * width
        let dot = 0
        for (let j = 0; j < width; j++) dot += row[j]! * rows[from + j]!
        for (let j = 0; j < width; j++) row[j]! -= dot * rows[from + j]!
      }
      square = squareOf(row)
      if (square > shareKept * before) break
    }
    const norm = Math.sqrt(square)
    for (let j = 0; j < width; j++) rows[i * width + j] = norm > 0 ? row[j]! / norm : 0
  }
}
