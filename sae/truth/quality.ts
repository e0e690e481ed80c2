/**
 * How much of a known dictionary an SAE has found, under named definitions. d_i are the true directions, w_j the decoder
 * rows, best(j) the feature with the largest |cos(w_j, d_i)|.
 *
 *   mcc                 mean |cos| of the one-to-one matching of latents and features with the largest sum
 *   uniqueness          number of different best(j), over the number of latents
 *   precision, recall   of "latent j fires" as a test for "feature best(j) fires", 0 where undefined; mean over latents
 *   f1                  2 precision · recall / (precision + recall) of each latent, 0 where undefined; mean over latents
 *   explained_variance  1 − Σ‖x − x̂‖² / Σ‖x − x̄‖², x̄ the mean of all samples
 *   shrinkage           mean of ‖x̂‖ / ‖x‖ over samples with ‖x‖ > 1e-6
 *   l0, true_l0         mean number of latents, of features, that fire in a sample
 *   dead                latents that fire in no sample
 *
 * Chanin and Garriga-Alonso 2026, arXiv:2602.14687, §4.
 */
import { UserError } from '../../core/errors.ts'
import { hostValues } from '../../engine/host.ts'
import type { Fired } from '../../engine/ops/truth/tables.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import { assignLargest } from '../measure/assignment.ts'
import type { Sae } from '../sae.ts'

/** Which definitions the figures follow; it changes when one of them does. */
export const truthDefinitions = 'sae-truth-1'

export interface TruthQuality {
  readonly measured: number
  readonly f1: number
  readonly mcc: number
  readonly uniqueness: number
  readonly explained_variance: number
  readonly precision: number
  readonly recall: number
  readonly l0: number
  readonly shrinkage: number
  readonly dead: number
  readonly true_l0: number
}

export interface Matched {
  readonly mcc: number
  readonly uniqueness: number
  /** The feature nearest to each latent. */
  readonly best: Int32Array
}

/** Matches decoder rows [latents, width] with true directions [features, width] by |cosine|; a zero row has cosine 0. */
export function matchFeatures(decoder: Tensor2D, directions: Tensor2D): Matched {
  const [latents, features] = [decoder.shape[0], directions.shape[0]]
  if (!Number.isFinite(hostValues(() => decoder.abs().sum())[0]))
    throw new UserError('The SAE’s decoder holds numbers that are not finite: its training diverged.', {
      fix: 'Lower learningRate.',
    })
  const unit = (rows: Tensor2D) => tf.divNoNan(rows, tf.sqrt(rows.square().sum(1, true))) as Tensor2D
  const product = tf.tidy(() => tf.matMul(unit(decoder), unit(directions), false, true).abs())
  const cosines = product.dataSync() as Float32Array
  product.dispose()
  const best = new Int32Array(latents)
  for (let j = 0; j < latents; j++) {
    const row = cosines.subarray(j * features, (j + 1) * features)
    let at = 0
    for (let i = 1; i < features; i++) if (row[i]! > row[at]!) at = i
    best[j] = at
  }
  let sum = 0
  assignLargest(cosines, latents, features).forEach((feature, latent) => {
    if (feature >= 0) sum += cosines[latent * features + feature]!
  })
  return { mcc: sum / Math.min(latents, features), uniqueness: new Set(best).size / latents, best }
}

/** Adds up figures of an SAE over batches of samples, in double precision. */
export class TruthMeter {
  private readonly sae: Sae
  private readonly matched: Matched
  private samples = 0
  private valid = 0
  private entries = 0
  private readonly total: Float64Array
  private readonly sums = { squares: 0, error: 0, ratio: 0 }
  private readonly fired: Float64Array
  private readonly hits: Float64Array
  private readonly truth: Float64Array

  /** `directions` [features, width] stay the caller's; they are not kept. */
  constructor(sae: Sae, directions: Tensor2D) {
    this.sae = sae
    const decoder = sae.decoder()
    this.matched = matchFeatures(decoder, directions)
    decoder.dispose()
    this.total = new Float64Array(sae.outputs)
    this.fired = new Float64Array(sae.latents)
    this.hits = new Float64Array(sae.latents)
    this.truth = new Float64Array(directions.shape[0])
  }

  /** Measures samples, which stay the caller's, and what fired in them. */
  add(rows: Tensor2D, truth: Fired): void {
    const latents = this.sae.encodeDense(rows)
    const numbers = hostValues(() => {
      const guess = this.sae.decode(latents, rows)
      const norms = tf.sqrt(rows.square().sum(1))
      const valid = tf.greater(norms, 1e-6).cast('float32')
      const ratios = tf.divNoNan(tf.sqrt(guess.square().sum(1)), norms).mul(valid)
      const sums = [rows.square().sum(), rows.sub(guess).square().sum(), ratios.sum(), valid.sum()]
      return tf.concat([tf.stack(sums), rows.sum(0)])
    })
    this.sums.squares += numbers[0]!
    this.sums.error += numbers[1]!
    this.sums.ratio += numbers[2]!
    this.valid += numbers[3]!
    for (let i = 0; i < this.total.length; i++) this.total[i]! += numbers[4 + i]!
    this.count(latents.dataSync() as Float32Array, truth)
    this.samples += rows.shape[0]
    latents.dispose()
  }

  /** Which latents fired beside their feature. */
  private count(latents: Float32Array, { offsets, features }: Fired): void {
    const { best } = this.matched
    const size = best.length
    const present = new Uint8Array(this.truth.length)
    for (let r = 0; r + 1 < offsets.length; r++) {
      const own = features.subarray(offsets[r]!, offsets[r + 1]!)
      for (const feature of own) {
        present[feature] = 1
        this.truth[feature]!++
      }
      for (let j = 0; j < size; j++) {
        if (latents[r * size + j] === 0) continue
        this.fired[j]!++
        this.hits[j]! += present[best[j]!]!
      }
      for (const feature of own) present[feature] = 0
    }
    this.entries += features.length
  }

  /** The figures over all samples so far. */
  result(): TruthQuality {
    const { sums, samples, fired, hits, truth } = this
    const { mcc, uniqueness, best } = this.matched
    const share = (part: number, whole: number) => (whole > 0 ? part / whole : 0)
    const scores = { precision: 0, recall: 0, f1: 0 }
    for (let j = 0; j < best.length; j++) {
      const precision = share(hits[j]!, fired[j]!)
      const recall = share(hits[j]!, truth[best[j]!]!)
      scores.precision += precision / best.length
      scores.recall += recall / best.length
      scores.f1 += share(2 * precision * recall, precision + recall) / best.length
    }
    let meanSquare = 0
    for (const value of this.total) meanSquare += value * value
    return {
      measured: samples,
      f1: scores.f1,
      mcc,
      uniqueness,
      explained_variance: 1 - sums.error / (sums.squares - meanSquare / samples),
      precision: scores.precision,
      recall: scores.recall,
      l0: fired.reduce((sum, count) => sum + count, 0) / samples,
      shrinkage: share(sums.ratio, this.valid),
      dead: fired.filter(count => count === 0).length,
      true_l0: this.entries / samples,
    }
  }
}
