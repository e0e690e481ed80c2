/**
 * How well an SAE reconstructs and how sparse it is: figures over rows t, with x̄ the mean of all rows.
 *
 * Sums are taken on the host in float64, and the variance by Welford's updates, so that neither the engine nor a large mean
 * costs precision. A figure that has no value is null: the mean of no rows, the share of a variance that is 0.
 */
import { UserError } from '../../core/errors.ts'
import { onHost } from '../../engine/host.ts'
import { type Tensor, type Tensor2D, tf } from '../../engine/tf.ts'
import { readsSequences } from '../inference.ts'
import type { Sae, SparseLatents } from '../sae.ts'

/** What each figure is, by name. */
export const qualityDefinitions = {
  fvu: 'Σ‖x − x̂‖² / Σ‖x − x̄‖², x̄ the mean of all rows; none where the rows do not vary',
  explainedVariance: '1 − fvu',
  mse: 'mean over rows of ‖x − x̂‖², summed over width',
  msePerDimension: 'mse / width',
  cosine: 'mean over rows of ⟨x, x̂⟩ / (‖x‖ ‖x̂‖), 0 where either is 0',
  l2Ratio: 'mean of ‖x̂‖ / ‖x‖ over rows that are not 0',
  relativeBias: 'Σ‖x̂‖² / Σ⟨x, x̂⟩, 1 where unbiased (Rajamanoharan et al. 2024, arXiv:2404.16014, eq. 10)',
  l0: 'mean over rows of the number of latents that are not 0',
  l1: 'mean over rows of the sum of |latents|',
  dead: 'latents that fire on none of the rows',
} as const

/** Version of these definitions; it changes when one of them does. */
export const qualityVersion = 'sae-quality-2'

/** The figures of `qualityDefinitions`; null where there is no value. */
export type Quality = Readonly<Record<keyof typeof qualityDefinitions, number | null>> & {
  readonly definitions: typeof qualityVersion
  readonly rows: number
}

/** What a figure of a single row is made of. */
export interface RowSums {
  /** ‖x − x̂‖². */
  readonly error: number
  /** ‖x‖². */
  readonly square: number
  /** Latents that are not 0. */
  readonly active: number
}

/** What fired in a batch of rows. */
export interface Firing {
  /** Latents that are not 0, and the sum of their sizes, of each row. */
  readonly active: ArrayLike<number>
  readonly sizes: ArrayLike<number>
  /** Rows on which each latent is not 0. */
  readonly fired: ArrayLike<number>
}

/** What fired, by sparse latents. */
export function firingOf({ rows, latents, offsets, indices, values }: SparseLatents): Firing {
  const [active, sizes, fired] = [new Float64Array(rows), new Float64Array(rows), new Float64Array(latents)]
  for (let row = 0; row < rows; row++) {
    active[row] = offsets[row + 1]! - offsets[row]!
    for (let e = offsets[row]!; e < offsets[row + 1]!; e++) {
      fired[indices[e]!]!++
      sizes[row]! += Math.abs(values[e]!)
    }
  }
  return { active, sizes, fired }
}

/** What fired, by dense latents [rows, latents]; counted where they are. */
function denseFiring(latents: Tensor2D): Firing {
  const on = tf.notEqual(latents, 0).cast('float32')
  return { active: host(on.sum(1)), sizes: host(latents.abs().sum(1)), fired: host(on.sum(0)) }
}

const host = (tensor: Tensor) => tensor.dataSync<'float32'>() as Float32Array

/** Sizes of what is measured: the width of the reconstruction, and the latents. */
export interface MeterSize {
  readonly outputs: number
  readonly latents: number
}

/** Adds up quality over batches of rows. */
export class QualityMeter {
  private rows = 0
  private readonly mean: Float64Array
  private readonly fired: Float64Array
  private readonly onRow: ((row: RowSums) => void) | undefined
  private readonly sums = { spread: 0, error: 0, guess: 0, product: 0, cosine: 0, ratio: 0, nonzero: 0, l0: 0, l1: 0 }

  /** `onRow` is told of every row as it is added. */
  constructor({ outputs, latents }: MeterSize, onRow?: (row: RowSums) => void) {
    this.mean = new Float64Array(outputs)
    this.fired = new Float64Array(latents)
    this.onRow = onRow
  }

  /**
   * Adds rows and their reconstructions, both [rows, outputs], and what fired in them. Throws a `UserError` where a value is
   * no finite number.
   */
  add(target: Float32Array, guess: Float32Array, firing: Firing): void {
    const { mean, sums, fired } = this
    const width = mean.length
    for (let row = 0, start = 0; start < target.length; row++, start += width) {
      const inverse = 1 / ++this.rows
      let [spread, error, xx, yy, xy] = [0, 0, 0, 0, 0]
      for (let i = 0; i < width; i++) {
        const x = target[start + i]!
        const y = guess[start + i]!
        const delta = x - mean[i]!
        const centre = mean[i]! + delta * inverse
        mean[i] = centre
        spread += delta * (x - centre)
        error += (x - y) * (x - y)
        xx += x * x
        yy += y * y
        xy += x * y
      }
      if (!Number.isFinite(error)) throw notFinite(xx)
      sums.spread += spread
      sums.error += error
      sums.guess += yy
      sums.product += xy
      if (xx > 0) {
        sums.nonzero++
        sums.ratio += Math.sqrt(yy / xx)
        if (yy > 0) sums.cosine += xy / Math.sqrt(xx * yy)
      }
      this.onRow?.({ error, square: xx, active: firing.active[row]! })
    }
    for (let i = 0; i < fired.length; i++) fired[i]! += firing.fired[i]!
    for (let row = 0; row < firing.active.length; row++) {
      sums.l0 += firing.active[row]!
      sums.l1 += firing.sizes[row]!
    }
  }

  /**
   * Encodes rows, which stay the caller's, and adds them, as one sequence where the SAE reads such; `target` is what the SAE predicts where that is not its input.
   */
  measure(sae: Sae, input: Tensor2D, target: Tensor2D = input): void {
    const rows = input.shape[0]
    const piece = readsSequences(sae.architecture) ? rows : Math.max(1, Math.floor(pieceEntries / sae.latents))
    for (let start = 0; start < rows; start += piece)
      onHost(() => {
        const some = (all: Tensor2D) => all.slice<Tensor2D>([start, 0], [Math.min(piece, rows - start), -1])
        const inputs = some(input)
        const latents = sae.encodeDense(inputs)
        const guess = sae.decode(latents, inputs)
        this.add(host(some(target)), host(guess), denseFiring(latents))
      })
  }

  /** Share of the rows so far on which each latent fired. */
  density(): Float64Array {
    return this.fired.map(count => count / Math.max(1, this.rows))
  }

  /** Mean of the rows so far. */
  meanRow(): Float64Array {
    return this.mean.slice()
  }

  /** The figures over all rows so far. */
  figures(): Quality {
    const { rows, sums } = this
    const fvu = ratio(sums.error, sums.spread)
    return {
      definitions: qualityVersion,
      rows,
      fvu,
      explainedVariance: fvu === null ? null : 1 - fvu,
      mse: ratio(sums.error, rows),
      msePerDimension: ratio(sums.error, rows * this.mean.length),
      cosine: ratio(sums.cosine, rows),
      l2Ratio: ratio(sums.ratio, sums.nonzero),
      relativeBias: ratio(sums.guess, sums.product),
      l0: ratio(sums.l0, rows),
      l1: ratio(sums.l1, rows),
      dead: rows === 0 ? null : this.fired.reduce((dead, count) => dead + (count === 0 ? 1 : 0), 0),
    }
  }
}

/** Entries of a dense latent matrix that are made at once (64 MiB); more rows are worked through in pieces. */
const pieceEntries = 1 << 24

function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole
}

function notFinite(square: number): UserError {
  return Number.isFinite(square)
    ? new UserError('The SAE gives reconstructions that are not finite numbers.', {
        fix: 'Check its weights for NaN and infinity; where training diverged, lower learningRate.',
      })
    : new UserError('The rows that the SAE is measured on are not all finite numbers.', {
        fix: 'Leave out the rows that hold NaN or infinity.',
      })
}
