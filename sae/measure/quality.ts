/**
 * How well an SAE reconstructs and how sparse it is, under named definitions (sums over rows t, x̄ the mean of all rows):
 *
 *   fvu                          Σ‖x − x̂‖² / Σ‖x − x̄‖²
 *   explained_variance           1 − fvu
 *   mse                          mean over rows of ‖x − x̂‖² (summed over width)
 *   cosine_similarity            mean of x·x̂ / (‖x‖‖x̂‖)
 *   l2_ratio                     mean of ‖x̂‖ / ‖x‖
 *   relative_reconstruction_bias Σ‖x̂‖² / Σ x·x̂   (1 is unbiased; Rajamanoharan et al. 2404.16014, eq. 10)
 *   l0, l1                       mean number, mean sum of the latents that are not 0
 *   dead_share                   share of latents that fire on none of the rows
 *   density                      share of rows on which each latent fires
 */
import { type Tensor2D, tf } from '../../engine/tf.ts'
import type { Sae } from '../sae.ts'

/** Which definitions the figures follow; it changes when one of them does. */
export const qualityDefinitions = 'sae-quality-1'

export interface Quality {
  readonly definitions: typeof qualityDefinitions
  readonly rows: number
  readonly fvu: number
  readonly explained_variance: number
  readonly mse: number
  readonly cosine_similarity: number
  readonly l2_ratio: number
  readonly relative_reconstruction_bias: number
  readonly l0: number
  readonly l1: number
  readonly dead_share: number
}

/** Entries of a dense latent matrix that are made at once; more rows are worked through in pieces. */
const pieceEntries = 1 << 24

/** Adds up quality over batches of rows, in double precision. */
export class QualityMeter {
  private readonly sae: Sae
  private rows = 0
  private readonly total: Float64Array
  private readonly fired: Float64Array
  private readonly sums = { squares: 0, error: 0, guess: 0, product: 0, cosine: 0, ratio: 0, l0: 0, l1: 0 }

  constructor(sae: Sae) {
    this.sae = sae
    this.total = new Float64Array(sae.outputs)
    this.fired = new Float64Array(sae.latents)
  }

  /** Measures rows, which stay the caller's; `target` is what the SAE predicts, where that is not its input. */
  add(input: Tensor2D, target: Tensor2D = input): void {
    const rows = input.shape[0]
    const piece = Math.max(1, Math.floor(pieceEntries / this.sae.latents))
    if (rows <= piece) this.addPiece(input, target)
    else
      for (let start = 0; start < rows; start += piece) {
        const some = (all: Tensor2D) => all.slice<Tensor2D>([start, 0], [Math.min(piece, rows - start), -1])
        const [inputs, targets] = [some(input), some(target)]
        this.addPiece(inputs, targets)
        tf.dispose([inputs, targets])
      }
  }

  private addPiece(input: Tensor2D, target: Tensor2D): void {
    const rows = input.shape[0]
    const [totals, fired, parts] = tf.tidy(() => {
      const latents = this.sae.encodeDense(input)
      const guess = this.sae.decode(latents, input)
      const on = tf.notEqual(latents, 0).cast('float32')
      const [inner, ours, theirs] = [target.mul(guess).sum(1), guess.square().sum(1), target.square().sum(1)]
      const norms = tf.sqrt(ours.mul(theirs))
      return [
        target.sum(0),
        on.sum(0),
        // A value a row: they are added up here, in double precision, since engines differ in how well they add.
        tf.stack([
          theirs,
          target.sub(guess).square().sum(1),
          ours,
          inner,
          tf.divNoNan(inner, norms),
          tf.divNoNan(ours.sqrt(), theirs.sqrt()),
          on.sum(1),
          latents.abs().sum(1),
        ]),
      ]
    })
    add(this.total, totals!.dataSync())
    add(this.fired, fired!.dataSync())
    const names = Object.keys(this.sums) as (keyof typeof this.sums)[]
    const values = parts!.dataSync()
    for (const [i, name] of names.entries())
      for (let row = 0; row < rows; row++) this.sums[name] += values[i * rows + row]!
    this.rows += rows
    tf.dispose([totals!, fired!, parts!])
  }

  /** Share of the rows so far on which each latent fired. */
  density(): Float64Array {
    return this.fired.map(count => count / Math.max(1, this.rows))
  }

  /** The figures over all rows so far. */
  result(): Quality {
    const { rows, sums } = this
    let meanSquare = 0
    for (const value of this.total) meanSquare += value * value
    const fvu = sums.error / (sums.squares - meanSquare / rows)
    return {
      definitions: qualityDefinitions,
      rows,
      fvu,
      explained_variance: 1 - fvu,
      mse: sums.error / rows,
      cosine_similarity: sums.cosine / rows,
      l2_ratio: sums.ratio / rows,
      relative_reconstruction_bias: sums.guess / sums.product,
      l0: sums.l0 / rows,
      l1: sums.l1 / rows,
      dead_share: this.fired.filter(count => count === 0).length / this.fired.length,
    }
  }
}

function add(sum: Float64Array, values: ArrayLike<number>): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += values[i]!
}
