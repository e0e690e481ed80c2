/**
 * How much of a known dictionary an SAE has found, under named definitions. d_i are the true directions, w_j the decoder
 * rows, best(j) the feature with the largest |cos(w_j, d_i)|.
 *
 *   mcc                 mean |cos| of the one-to-one matching of latents and features with the largest sum
 *   uniqueness          number of different best(j), over the number of latents
 *   precision, recall   of "latent j fires" as a test for "feature best(j) fires", 0 where undefined; mean over latents
 *   f1                  2 precision · recall / (precision + recall) of each latent, 0 where undefined; mean over latents
 *   shrinkage           mean of ‖x̂‖ / ‖x‖ over samples that are not 0
 *   trueL0              mean number of features that fire in a sample
 *   explainedVariance, l0 and dead are those of measure/quality.ts
 *
 * Chanin and Garriga-Alonso 2026, arXiv:2602.14687, §4.
 */
import { UserError } from '../../core/errors.ts'
import { hostValues, onHost } from '../../engine/host.ts'
import type { Fired } from '../../engine/ops/truth/tables.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import { assignLargest } from '../measure/assignment.ts'
import { firingOf, QualityMeter } from '../measure/quality.ts'
import type { Sae, SparseLatents } from '../sae.ts'
import { compressRows } from '../sparse.ts'

/** Which definitions the figures follow; it changes when one of them does. */
export const truthDefinitions = 'sae-truth-2'

export interface TruthQuality {
  readonly measured: number
  readonly f1: number
  readonly mcc: number
  readonly uniqueness: number
  readonly explainedVariance: number | null
  readonly precision: number
  readonly recall: number
  readonly l0: number | null
  readonly shrinkage: number | null
  readonly dead: number | null
  readonly trueL0: number
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
  private readonly quality: QualityMeter
  private samples = 0
  private entries = 0
  private readonly fired: Float64Array
  private readonly hits: Float64Array
  private readonly truth: Float64Array

  /** `directions` [features, width] stay the caller's; they are not kept. */
  constructor(sae: Sae, directions: Tensor2D) {
    this.sae = sae
    const decoder = sae.decoder()
    this.matched = matchFeatures(decoder, directions)
    decoder.dispose()
    this.quality = new QualityMeter(sae)
    this.fired = new Float64Array(sae.latents)
    this.hits = new Float64Array(sae.latents)
    this.truth = new Float64Array(directions.shape[0])
  }

  /** Measures samples, which stay the caller's, and what fired in them. */
  add(rows: Tensor2D, truth: Fired): void {
    const latents = onHost(() => {
      const dense = this.sae.encodeDense(rows)
      const guess = this.sae.decode(dense, rows)
      const host = (tensor: Tensor2D) => tensor.dataSync<'float32'>() as Float32Array
      const sparse = compressRows(host(dense), rows.shape[0], this.sae.latents)
      this.quality.add(host(rows), host(guess), firingOf(sparse))
      return sparse
    })
    this.count(latents, truth)
    this.samples += rows.shape[0]
  }

  /** Which latents fired beside their feature. */
  private count(latents: SparseLatents, { offsets, features }: Fired): void {
    const { best } = this.matched
    const present = new Uint8Array(this.truth.length)
    for (let r = 0; r + 1 < offsets.length; r++) {
      const own = features.subarray(offsets[r]!, offsets[r + 1]!)
      for (const feature of own) {
        present[feature] = 1
        this.truth[feature]!++
      }
      for (const latent of latents.indices.subarray(latents.offsets[r]!, latents.offsets[r + 1]!)) {
        this.fired[latent]!++
        this.hits[latent]! += present[best[latent]!]!
      }
      for (const feature of own) present[feature] = 0
    }
    this.entries += features.length
  }

  /** The figures over all samples so far. */
  result(): TruthQuality {
    const { samples, fired, hits, truth } = this
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
    const { explainedVariance, l0, l2Ratio: shrinkage, dead } = this.quality.figures()
    return {
      measured: samples,
      f1: scores.f1,
      mcc,
      uniqueness,
      explainedVariance,
      precision: scores.precision,
      recall: scores.recall,
      l0,
      shrinkage,
      dead,
      trueL0: share(this.entries, samples),
    }
  }
}
