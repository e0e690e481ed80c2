/**
 * Splits a latent's direction into the part along which text moves, and the rest.
 *
 * With Σ the covariance of the values on discovery text and λ a tenth of E[f²] · ‖d‖², over all its tokens,
 *
 *   active = Σ (Σ + λI)⁻¹ d,   dormant = d − active = λ (Σ + λI)⁻¹ d
 *
 * If values held f · d, they would vary along d by about E[f²] · ‖d‖². A direction along which they vary by a tenth of that is
 * halved, and one along which they do not vary is wholly dormant. The system is solved by conjugate gradients (Hestenes and Stiefel
 * 1952): no width is too large.
 */
import { onHost } from '../../engine/host.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import { firstPosition } from '../../latents/activations.ts'
import type { SiteValues } from '../../latents/projections.ts'
import type { Material } from '../claims/plan.ts'

export interface Pathway {
  readonly active: Float32Array
  readonly dormant: Float32Array
  /** Discovery tokens at which the latent is active. */
  readonly tokens: number
  /** E[f · (x − x̄)·d | active] / (E[f² | active] · ‖d‖²): 1 where text moves along d as far as the latent says. */
  readonly moved: number
}

/** Variation along a direction that is this share of what the latent says of it leaves half of it. */
const halved = 0.1

/** Mean [width] and covariance [width, width] of values. */
interface Moments {
  readonly mean: Float64Array
  readonly covariance: Float32Array
}

const known = new WeakMap<SiteValues, Moments>()

/** The split of a latent's decoder row; undefined where it is active at no token of discovery text. */
export function pathwayOf({ discovery, tied }: Material, latent: number, direction: Float32Array): Pathway | undefined {
  const { offsets, window, position, value } = discovery
  const [start, end] = [offsets[latent]!, offsets[latent + 1]!]
  if (end === start) return undefined
  const { values, width, tokens } = tied.discovery
  const moments = known.get(tied.discovery) ?? momentsOf(tied.discovery)
  known.set(tied.discovery, moments)
  const rowStart = rowsOf(tied.discovery)
  const length = dot(direction, direction)
  let [squares, along] = [0, 0]
  for (let entry = start; entry < end; entry++) {
    const row = rowStart[window[entry]!]! + position[entry]! - firstPosition
    let reach = 0
    for (let j = 0; j < width; j++) reach += (values[row * width + j]! - moments.mean[j]!) * direction[j]!
    squares += value[entry]! ** 2
    along += value[entry]! * reach
  }
  const lambda = (halved * squares * length) / tokens
  return { ...split(moments.covariance, lambda, direction), tokens: end - start, moved: along / (squares * length) }
}

/** First row of each window. */
function rowsOf({ windows }: SiteValues): number[] {
  let row = 0
  return windows.map(({ tokens }) => {
    const first = row
    row += Math.max(0, tokens.length - firstPosition)
    return first
  })
}

function momentsOf({ values, tokens, width }: SiteValues): Moments {
  const sum = new Float64Array(width)
  for (let row = 0; row < tokens; row++) for (let j = 0; j < width; j++) sum[j]! += values[row * width + j]!
  const mean = sum.map(x => x / tokens)
  const covariance = onHost(() => {
    const centred = tf.tensor2d(values, [tokens, width]).sub(tf.tensor1d(Float32Array.from(mean))) as Tensor2D
    return centred.matMul(centred, true).div(tokens).dataSync<'float32'>() as Float32Array
  })
  return { mean, covariance: covariance.slice() }
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let j = 0; j < a.length; j++) sum += a[j]! * b[j]!
  return sum
}

/** The two parts of a direction [width], for a covariance [width, width] and λ above 0. */
export function split(
  covariance: Float32Array,
  lambda: number,
  direction: Float32Array,
): Pick<Pathway, 'active' | 'dormant'> {
  const width = direction.length
  const apply = (v: Float64Array) =>
    Float64Array.from(v, (x, i) => lambda * x + dot(covariance.subarray(i * width, (i + 1) * width), v))
  const solved = conjugateGradients(apply, Float64Array.from(direction))
  const dormant = Float32Array.from(solved, x => lambda * x)
  return { dormant, active: direction.map((x, j) => x - dormant[j]!) }
}

/** Solves A x = b for a symmetric positive definite A, to a residual of 1e-8 of b's length. */
function conjugateGradients(apply: (v: Float64Array) => Float64Array, b: Float64Array): Float64Array {
  const x = new Float64Array(b.length)
  const residual = b.slice()
  let search = b.slice()
  let square = dot(residual, residual)
  const enough = 1e-16 * square
  for (let step = 0; step < 10 * b.length && square > enough; step++) {
    const image = apply(search)
    const length = square / dot(search, image)
    for (let j = 0; j < x.length; j++) {
      x[j]! += length * search[j]!
      residual[j]! -= length * image[j]!
    }
    const next = dot(residual, residual)
    search = search.map((s, j) => residual[j]! + (next / square) * s)
    square = next
  }
  return x
}
