/**
 * How well an SAE stands in for the values at its site, over held-out windows.
 *
 *   explained_variance  1 − Σ‖x − x̂‖² / Σ‖x − x̄‖², x̄ the mean over all tokens;  fvu = 1 − explained_variance
 *   mse                 mean of ‖x − x̂‖² (summed over width)       mse_per_dimension   the same / width
 *   cosine              mean of ⟨x, x̂⟩ / (‖x‖ ‖x̂‖)                 l2_ratio            mean of ‖x̂‖ / ‖x‖
 *   relative_bias       Σ‖x̂‖² / Σ⟨x, x̂⟩ (1 = unbiased)            l0                  mean number of nonzero latents
 *   ce_*                mean next-token loss at positions 1 … with the site as it is, replaced by x̂, by 0, by the mean
 *   ce_recovered        (CE_ablated − CE_spliced) / (CE_ablated − CE_clean), against zero and against mean ablation
 *   kl_*                mean KL(clean ‖ replaced) at the same positions
 *
 * Position 0 is neither measured nor replaced.
 */
import { breathe } from '../core/stage.ts'
import { windowBatches } from '../datasets/batches.ts'
import type { TokenWindow } from '../datasets/document.ts'
import { onHost } from '../engine/host.ts'
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import { klDivergence, tokenLoss } from '../model/loss.ts'
import type { Model } from '../model/model.ts'
import type { Sae } from '../sae/sae.ts'
import { type EncodeWindowsOptions, firstPosition, siteRows, throwIfInterrupted } from './activations.ts'
import { startBefore } from './interventions.ts'

/** What each figure is, by name. */
export const reconstructionDefinitions: Readonly<Record<string, string>> = {
  explainedVariance: '1 − Σ‖x − x̂‖² / Σ‖x − x̄‖², x̄ over all tokens',
  fvu: 'Σ‖x − x̂‖² / Σ‖x − x̄‖²',
  mse: 'mean over tokens of ‖x − x̂‖²',
  cosine: 'mean over tokens of ⟨x, x̂⟩ / (‖x‖ ‖x̂‖)',
  l2Ratio: 'mean over tokens of ‖x̂‖ / ‖x‖',
  relativeBias: 'Σ‖x̂‖² / Σ⟨x, x̂⟩',
  l0: 'mean over tokens of the number of nonzero latents',
  dead: 'latents that fire on none of these tokens',
  ce: 'mean loss of tokens 2 … predicted from positions 1 …, nats; position 0 is not replaced',
  ceRecoveredZero: '(CE zero-ablated − CE spliced) / (CE zero-ablated − CE clean)',
  ceRecoveredMean: '(CE mean-ablated − CE spliced) / (CE mean-ablated − CE clean)',
  kl: 'mean KL(clean ‖ replaced) at positions 1 …, nats',
}

/** Figures of the values themselves. */
export interface ValueFigures {
  readonly tokens: number
  readonly explainedVariance: number
  readonly fvu: number
  readonly mse: number
  readonly msePerDimension: number
  readonly cosine: number
  readonly l2Ratio: number
  readonly relativeBias: number
  readonly l0: number
  readonly dead: number
  /** Share of tokens at which each latent fires. */
  readonly density: Float64Array
}

/** Figures of the values and of the model's loss with them replaced. */
export interface Reconstruction extends ValueFigures {
  readonly windows: number
  readonly ceClean: number
  readonly ceSpliced: number
  readonly ceZero: number
  readonly ceMean: number
  readonly ceRecoveredZero: number | null
  readonly ceRecoveredMean: number | null
  readonly klSpliced: number
  readonly klZero: number
  readonly klMean: number
  /** Where the mean of mean ablation is from. */
  readonly meanFrom: 'capture' | 'discovery'
}

/** Sums over rows, in float64; the variance is kept by Chan's update, so that a large mean costs no precision. */
export class ValueSums {
  private rows = 0
  private readonly mean: Float64Array
  private spread = 0
  private errors = 0
  private cosines = 0
  private ratios = 0
  private squares = 0
  private products = 0
  private active = 0
  private readonly fired: Float64Array

  constructor(width: number, latents: number) {
    this.mean = new Float64Array(width)
    this.fired = new Float64Array(latents)
  }

  /** Adds rows x and their reconstructions, both [rows, width], and the latents of each row. */
  add(x: Float32Array, y: Float32Array, latents: { indices: ArrayLike<number> }): void {
    const width = this.mean.length
    for (let start = 0; start < x.length; start += width) {
      this.rows++
      let error = 0
      let xx = 0
      let yy = 0
      let xy = 0
      for (let i = 0; i < width; i++) {
        const a = x[start + i]!
        const b = y[start + i]!
        const delta = a - this.mean[i]!
        this.mean[i]! += delta / this.rows
        this.spread += delta * (a - this.mean[i]!)
        error += (a - b) ** 2
        xx += a * a
        yy += b * b
        xy += a * b
      }
      this.errors += error
      this.squares += yy
      this.products += xy
      if (xx > 0) this.ratios += Math.sqrt(yy / xx)
      if (xx > 0 && yy > 0) this.cosines += xy / Math.sqrt(xx * yy)
    }
    this.active += latents.indices.length
    for (let i = 0; i < latents.indices.length; i++) this.fired[latents.indices[i]!]!++
  }

  /** The figures so far. */
  figures(): ValueFigures {
    const { rows } = this
    return {
      tokens: rows,
      explainedVariance: 1 - this.errors / this.spread,
      fvu: this.errors / this.spread,
      mse: this.errors / rows,
      msePerDimension: this.errors / rows / this.mean.length,
      cosine: this.cosines / rows,
      l2Ratio: this.ratios / rows,
      relativeBias: this.squares / this.products,
      l0: this.active / rows,
      dead: this.fired.reduce((count, fired) => count + (fired === 0 ? 1 : 0), 0),
      density: this.fired.map(fired => fired / rows),
    }
  }

  /** Mean of the rows so far. */
  meanRow(): Float32Array {
    return Float32Array.from(this.mean)
  }
}

/** Logits that a pass may hold, so that a large vocabulary does not exhaust memory. */
const maximumLogits = 2 ** 24

/** The mean value at a site over windows, position 0 left out. */
export async function siteMean(
  model: Model,
  site: string,
  windows: readonly TokenWindow[],
  options: EncodeWindowsOptions,
): Promise<Float32Array> {
  let sums: ValueSums | undefined
  for (const batch of windowBatches(windows, options.batchTokens)) {
    await breathe()
    throwIfInterrupted(options.signal)
    const { values, width } = onHost(() => {
      const rows = siteRows(model, site, tf.tensor2d(batch.tokens, [batch.windows.length, batch.length], 'int32'))
      return { values: rows.dataSync<'float32'>() as Float32Array, width: rows.shape[1] }
    })
    sums ??= new ValueSums(width, 0)
    const kept = keepRows(values, width, batch.windows, batch.length)
    sums.add(kept, kept, { indices: [] })
  }
  return sums!.meanRow()
}

/** The rows of real tokens after position 0. */
function keepRows(values: Float32Array, width: number, windows: readonly TokenWindow[], length: number): Float32Array {
  const count = windows.reduce((sum, { tokens }) => sum + tokens.length - firstPosition, 0)
  const kept = new Float32Array(count * width)
  let at = 0
  windows.forEach(({ tokens }, b) => {
    const start = (b * length + firstPosition) * width
    kept.set(values.subarray(start, (b * length + tokens.length) * width), at)
    at += (tokens.length - firstPosition) * width
  })
  return kept
}

/** What ablation of a site does to the loss; it does not depend on the SAE. */
export type Ablations = Pick<Reconstruction, 'ceZero' | 'ceMean' | 'klZero' | 'klMean'>

/**
 * Measures an SAE on windows; `mean` [width] is what mean ablation puts in. Leaves no tensor behind. `ablations`, where they
 * are known from the same windows and mean, are not measured again.
 */
export async function measureReconstruction(
  model: Model,
  sae: Sae,
  windows: readonly TokenWindow[],
  mean: Float32Array,
  meanFrom: Reconstruction['meanFrom'],
  options: EncodeWindowsOptions & { readonly ablations?: Ablations | undefined },
): Promise<Reconstruction> {
  const site = sae.metadata.hook_name
  const values = new ValueSums(sae.width, sae.latents)
  const totals = { count: 0, ceClean: 0, ceSpliced: 0, ceZero: 0, ceMean: 0, klSpliced: 0, klZero: 0, klMean: 0 }
  const limit = Math.min(options.batchTokens, Math.max(1, Math.floor(maximumLogits / model.config.vocabulary)))
  let done = 0
  for (const batch of windowBatches(windows, limit)) {
    await breathe()
    throwIfInterrupted(options.signal)
    onHost(() => {
      const tokens = tf.tensor2d(batch.tokens, [batch.windows.length, batch.length], 'int32')
      let x: Tensor | undefined
      const logits = model.run(tokens, {
        hooks: {
          [site]: value => {
            x = tf.keep(value.clone())
            return undefined
          },
        },
      }) as Tensor3D
      try {
        const rows = x!.reshape([-1, sae.width]) as Tensor2D
        const latents = sae.encode(rows)
        const reconstruction = sae.decode(latents, rows)
        const host = (tensor: Tensor) => tensor.dataSync<'float32'>() as Float32Array
        const real = realLatents(latents, batch.windows, batch.length)
        values.add(
          keepRows(host(rows), sae.width, batch.windows, batch.length),
          keepRows(host(reconstruction), sae.width, batch.windows, batch.length),
          real,
        )
        const measure = (name: 'Spliced' | 'Zero' | 'Mean', replacement: Tensor) => {
          const replaced = replace(model, site, tokens, x!, replacement)
          totals[`ce${name}`] += total(host(tokenLoss(replaced, tokens)), batch.windows, batch.length - 1)
          totals[`kl${name}`] += total(
            host(klDivergence(logits, replaced).slice([0, 0], [batch.windows.length, batch.length - 1])),
            batch.windows,
            batch.length - 1,
          )
        }
        totals.ceClean += total(host(tokenLoss(logits, tokens)), batch.windows, batch.length - 1)
        measure('Spliced', reconstruction)
        if (!options.ablations) {
          measure('Zero', tf.zeros([1, sae.width]))
          measure('Mean', tf.tensor2d(mean, [1, sae.width]))
        }
        totals.count += batch.windows.reduce(
          (sum, { tokens: ids }) => sum + Math.max(0, ids.length - 1 - firstPosition),
          0,
        )
      } finally {
        x?.dispose()
      }
    })
    done += batch.windows.length
    options.onBatch?.(done)
  }
  const { count, ...sums } = totals
  const measured = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / count])) as Omit<
    typeof totals,
    'count'
  >
  const means = { ...measured, ...options.ablations }
  const recovered = (ablated: number) =>
    ablated > means.ceClean ? (ablated - means.ceSpliced) / (ablated - means.ceClean) : null
  return {
    windows: windows.length,
    ...values.figures(),
    ...means,
    ceRecoveredZero: recovered(means.ceZero),
    ceRecoveredMean: recovered(means.ceMean),
    meanFrom,
  }
}

/** Logits with every position but the first replaced at the site by rows [batch · length, width] or by one row. */
function replace(model: Model, site: string, tokens: Tensor2D, x: Tensor, replacement: Tensor): Tensor3D {
  const [batch, length] = tokens.shape
  const width = x.size / (batch * length)
  return tf.tidy(() => {
    const before = startBefore(site)
    const value = x.reshape([batch, length, width])
    const first = value.slice([0, 0, 0], [batch, firstPosition, width])
    const whole =
      replacement.shape[0] === 1
        ? replacement.reshape([1, 1, width]).tile([batch, length, 1])
        : replacement.reshape([batch, length, width])
    const rest = whole.slice([0, firstPosition, 0], [batch, length - firstPosition, width])
    const joined = tf.concat([first, rest], 1).reshape(x.shape)
    const start =
      before && before === site ? (x as Tensor3D) : before && (model.run(tokens, { until: before }) as Tensor3D)
    return model.run(tokens, {
      hooks: { [site]: () => joined },
      ...(before && start && { from: { site: before, value: start } }),
    }) as Tensor3D
  })
}

/** Indices of the latents of real tokens after position 0. */
function realLatents(
  latents: { offsets: Uint32Array; indices: Uint32Array },
  windows: readonly TokenWindow[],
  length: number,
): { indices: number[] } {
  const indices: number[] = []
  windows.forEach(({ tokens }, b) => {
    const end = latents.offsets[b * length + tokens.length]!
    for (let e = latents.offsets[b * length + firstPosition]!; e < end; e++) indices.push(latents.indices[e]!)
  })
  return { indices }
}

/** Sum of values [batch, columns] at positions 1 … of each window that have a next token. */
function total(values: Float32Array, windows: readonly TokenWindow[], columns: number): number {
  let sum = 0
  windows.forEach(({ tokens }, b) => {
    for (let p = firstPosition; p < tokens.length - 1; p++) sum += values[b * columns + p]!
  })
  return sum
}
