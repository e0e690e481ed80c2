/**
 * How well an SAE stands in for the values at its site, over held-out windows: the figures of sae/measure/quality.ts, where a
 * row is a token, and what its reconstruction does to the model's loss. Position 0 is neither measured nor replaced.
 */
import { UserError } from '../core/errors.ts'
import { breathe } from '../core/stage.ts'
import { type WindowBatch, windowBatches } from '../datasets/batches.ts'
import type { TokenWindow } from '../datasets/document.ts'
import { onHost } from '../engine/host.ts'
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import { klDivergence, tokenLoss } from '../model/loss.ts'
import type { Model } from '../model/model.ts'
import { firingOf, type Quality, QualityMeter, qualityDefinitions } from '../sae/measure/quality.ts'
import type { Sae, SparseLatents } from '../sae/sae.ts'
import { stackSparse } from '../sae/sparse.ts'
import { type EncodeWindowsOptions, firstPosition, siteRows, throwIfInterrupted } from './activations.ts'
import { startBefore } from './interventions.ts'

/** What each figure is, by name. */
export const reconstructionDefinitions: Readonly<Record<string, string>> = {
  ...qualityDefinitions,
  ce: 'mean loss of tokens 2 … predicted from positions 1 …, nats; position 0 is not replaced',
  ceRecoveredZero: '(CE zero-ablated − CE spliced) / (CE zero-ablated − CE clean)',
  ceRecoveredMean: '(CE mean-ablated − CE spliced) / (CE mean-ablated − CE clean)',
  kl: 'mean KL(clean ‖ replaced) at positions 1 …, nats',
}

/** The model's loss with the site as it is, replaced by the reconstruction, by 0 and by the mean; nats a token. */
export interface Losses {
  readonly ceClean: number
  readonly ceSpliced: number
  readonly ceZero: number
  readonly ceMean: number
  readonly klSpliced: number
  readonly klZero: number
  readonly klMean: number
}

/** What ablation of a site does to the loss; it does not depend on the SAE. */
export type Ablations = Pick<Losses, 'ceZero' | 'ceMean' | 'klZero' | 'klMean'>

/** Figures of the values and of the model's loss with them replaced. */
export type Reconstruction = Quality &
  Losses & {
    readonly windows: number
    /** Share of tokens at which each latent fires. */
    readonly density: Float64Array
    readonly ceRecoveredZero: number | null
    readonly ceRecoveredMean: number | null
    /** Where the mean of mean ablation is from. */
    readonly meanFrom: 'capture' | 'discovery'
  }

export interface ReconstructionOptions extends EncodeWindowsOptions {
  /** What mean ablation puts in [width], and where it is from. */
  readonly mean: Float32Array
  readonly meanFrom: Reconstruction['meanFrom']
  /** Where they are known from the same windows and mean, they are not measured again. */
  readonly ablations?: Ablations | undefined
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
  let sum: Float64Array | undefined
  let count = 0
  for (const batch of windowBatches(windows, options.batchTokens)) {
    await breathe()
    throwIfInterrupted(options.signal)
    const { values, width } = onHost(() => {
      const rows = siteRows(model, site, tf.tensor2d(batch.tokens, [batch.windows.length, batch.length], 'int32'))
      return { values: rows.dataSync<'float32'>() as Float32Array, width: rows.shape[1] }
    })
    sum ??= new Float64Array(width)
    const kept = keepRows(values, width, batch)
    for (let i = 0; i < kept.length; i++) sum[i % width]! += kept[i]!
    count += kept.length / width
  }
  if (!sum || count === 0) throw nothingToMeasure()
  return Float32Array.from(sum, value => value / count)
}

/** Measures an SAE on windows. Leaves no tensor behind. */
export async function measureReconstruction(
  model: Model,
  sae: Sae,
  windows: readonly TokenWindow[],
  options: ReconstructionOptions,
): Promise<Reconstruction> {
  const meter = new QualityMeter(sae)
  const sums = { ceClean: 0, ceSpliced: 0, ceZero: 0, ceMean: 0, klSpliced: 0, klZero: 0, klMean: 0 }
  const limit = Math.min(options.batchTokens, Math.max(1, Math.floor(maximumLogits / model.config.vocabulary)))
  let done = 0
  for (const batch of windowBatches(windows, limit)) {
    await breathe()
    throwIfInterrupted(options.signal)
    onHost(() => addBatch(model, sae, batch, { meter, sums }, options))
    done += batch.windows.length
    options.onBatch?.(done)
  }
  const count = windows.reduce((sum, { tokens }) => sum + Math.max(0, tokens.length - 1 - firstPosition), 0)
  if (count === 0) throw nothingToMeasure()
  const measured = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / count]))
  const losses = { ...(measured as unknown as Losses), ...options.ablations }
  if (!Object.values(losses).every(Number.isFinite))
    throw new UserError('The loss of the model on the held-out text is not a finite number.', {
      fix: 'Check the weights of model and SAE for NaN and infinity.',
    })
  const recovered = (ablated: number) =>
    ablated > losses.ceClean ? (ablated - losses.ceSpliced) / (ablated - losses.ceClean) : null
  return {
    windows: windows.length,
    ...meter.figures(),
    density: meter.density(),
    ...losses,
    ceRecoveredZero: recovered(losses.ceZero),
    ceRecoveredMean: recovered(losses.ceMean),
    meanFrom: options.meanFrom,
  }
}

/** Adds one batch's values to the meter, and its losses and divergences to the sums. */
function addBatch(
  model: Model,
  sae: Sae,
  batch: WindowBatch,
  into: { readonly meter: QualityMeter; readonly sums: { -readonly [Name in keyof Losses]: number } },
  { mean, ablations }: ReconstructionOptions,
): void {
  const site = sae.metadata.hook_name
  const tokens = tf.tensor2d(batch.tokens, [batch.windows.length, batch.length], 'int32')
  const { logits, x } = runAndKeep(model, site, tokens)
  try {
    const rows = x.reshape([-1, sae.width]) as Tensor2D
    const latents = sae.encode(rows)
    const reconstruction = sae.decode(latents, rows)
    into.meter.add(
      keepRows(host(rows), sae.width, batch),
      keepRows(host(reconstruction), sae.width, batch),
      firingOf(keepLatents(latents, batch)),
    )
    const columns = batch.length - 1
    into.sums.ceClean += total(host(tokenLoss(logits, tokens)), batch.windows, columns)
    const replacements: [name: 'Spliced' | 'Zero' | 'Mean', value: Tensor][] = [['Spliced', reconstruction]]
    if (!ablations) replacements.push(['Zero', tf.zeros([1, sae.width])], ['Mean', tf.tensor2d(mean, [1, sae.width])])
    for (const [name, value] of replacements) {
      const replaced = replace(model, site, tokens, x, value)
      const divergence = klDivergence(logits, replaced).slice([0, 0], [batch.windows.length, columns])
      into.sums[`ce${name}`] += total(host(tokenLoss(replaced, tokens)), batch.windows, columns)
      into.sums[`kl${name}`] += total(host(divergence), batch.windows, columns)
    }
  } finally {
    x.dispose()
  }
}

/** Logits, and the value at a site, which the caller disposes. */
function runAndKeep(model: Model, site: string, tokens: Tensor2D): { logits: Tensor3D; x: Tensor } {
  let x: Tensor | undefined
  const logits = model.run(tokens, {
    hooks: {
      [site]: value => {
        x = tf.keep(value.clone())
        return undefined
      },
    },
  }) as Tensor3D
  return { logits, x: x! }
}

const host = (tensor: Tensor) => tensor.dataSync<'float32'>() as Float32Array

function nothingToMeasure(): UserError {
  return new UserError('There is no held-out text to measure the SAE on.', {
    fix: 'Give a dataset whose held-out documents have at least three tokens.',
  })
}

/** The rows of real tokens after position 0. */
function keepRows(values: Float32Array, width: number, { windows, length }: WindowBatch): Float32Array {
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

/** The latents of the same tokens. */
function keepLatents(
  { latents, offsets, indices, values }: SparseLatents,
  { windows, length }: WindowBatch,
): SparseLatents {
  const pieces = windows.map(({ tokens }, b) => {
    const own = offsets.slice(b * length + firstPosition, b * length + tokens.length + 1)
    const [start, end] = [own[0]!, own.at(-1)!]
    return {
      rows: own.length - 1,
      latents,
      offsets: own.map(offset => offset - start),
      indices: indices.subarray(start, end),
      values: values.subarray(start, end),
    }
  })
  return stackSparse(pieces, latents)
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

/** Sum of values [batch, columns] at positions 1 … of each window that have a next token. */
function total(values: Float32Array, windows: readonly TokenWindow[], columns: number): number {
  let sum = 0
  windows.forEach(({ tokens }, b) => {
    for (let p = firstPosition; p < tokens.length - 1; p++) sum += values[b * columns + p]!
  })
  return sum
}
