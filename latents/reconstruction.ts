/**
 * How well an SAE stands in for the values at its site, over held-out windows: the figures of sae/measure/quality.ts, where a
 * row is a token, and what its reconstruction does to the model's loss. Position 0 is neither measured nor replaced.
 */
import { UserError } from '../core/errors.ts'
import { Random } from '../core/random.ts'
import { breathe } from '../core/stage.ts'
import { type WindowBatch, windowBatches } from '../datasets/batches.ts'
import type { TokenWindow } from '../datasets/document.ts'
import { onHost } from '../engine/host.ts'
import { type Tensor, type Tensor1D, type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import { comparedWith, predictionOf, tokenLoss } from '../model/loss.ts'
import type { Model } from '../model/model.ts'
import type { Sae } from '../sae/sae.ts'
import { type EncodeWindowsOptions, firstPosition, siteRows, throwIfInterrupted } from './activations.ts'
import { startBefore } from './interventions.ts'
import {
  type Ablations,
  BandSums,
  figuresOf,
  type lossNames,
  type ReconstructionFigures,
  type ReconstructionRow,
  rowsOf,
} from './reconstruction-rows.ts'

/** Figures of the values and of the model's loss with them replaced. */
export type Reconstruction = ReconstructionFigures & {
  readonly windows: number
  /** Where the mean of mean ablation is from. */
  readonly meanFrom: 'capture' | 'discovery'
}

export interface ReconstructionOptions extends EncodeWindowsOptions {
  /** What mean ablation puts in [width], and where it is from. */
  readonly mean: Float32Array
  readonly meanFrom: Reconstruction['meanFrom']
  /** Values of other tokens [rows, width], of which resample ablation puts one in by lot; without them it is not measured. */
  readonly donors?: { readonly values: Float32Array; readonly seed: number }
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
    batch.windows.forEach(({ tokens }, b) => {
      const own = values.subarray(
        (b * batch.length + firstPosition) * width,
        (b * batch.length + tokens.length) * width,
      )
      for (let i = 0; i < own.length; i++) sum![i % width]! += own[i]!
      count += own.length / width
    })
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
  const rows = await reconstructionRows(model, sae, windows, { ...options, bandOf: () => '' })
  const { ablations, meanFrom } = options
  return { windows: windows.length, ...figuresOf(rows, sae, ablations), meanFrom }
}

/**
 * The sums that all figures are made of, a row for each window and band of its positions, in the order of the windows. Leaves no
 * tensor behind. A `UserError` where there is nothing to measure, or where a value is not finite.
 */
export async function reconstructionRows(
  model: Model,
  sae: Sae,
  windows: readonly TokenWindow[],
  options: ReconstructionOptions & { readonly bandOf: (position: number) => string },
): Promise<ReconstructionRow[]> {
  const limit = Math.min(options.batchTokens, Math.max(1, Math.floor(maximumLogits / model.config.vocabulary)))
  if (!windows.some(({ tokens }) => tokens.length > firstPosition + 1)) throw nothingToMeasure()
  const found = new Map<TokenWindow, BandSums[]>()
  let done = 0
  for (const batch of windowBatches(windows, limit)) {
    await breathe()
    throwIfInterrupted(options.signal)
    onHost(() => measureBatch(model, sae, batch, options)).forEach((sums, b) => {
      found.set(batch.windows[b]!, sums)
    })
    done += batch.windows.length
    options.onBatch?.(done)
  }
  return rowsOf(
    windows.map(window => [window.id, found.get(window)!] as const),
    sae.width,
  )
}

/** The sums of each window of a batch, by band. */
function measureBatch(
  model: Model,
  sae: Sae,
  batch: WindowBatch,
  { mean, donors, ablations, bandOf }: Parameters<typeof reconstructionRows>[3],
): BandSums[][] {
  const site = sae.metadata.hook_name
  const { width } = sae
  const tokens = tf.tensor2d(batch.tokens, [batch.windows.length, batch.length], 'int32')
  const { logits, x } = runAndKeep(model, site, tokens)
  try {
    const rows = x.reshape([-1, width]) as Tensor2D
    const latents = sae.encode(rows)
    const reconstruction = sae.decode(latents, rows)
    const [target, guess] = [host(rows), host(reconstruction)]
    const losses = new Map<(typeof lossNames)[number], Float32Array>([['ceClean', host(tokenLoss(logits, tokens))]])
    const replacements: [name: 'Spliced' | 'Zero' | 'Mean' | 'Resample', value: Tensor][] = [
      ['Spliced', reconstruction],
    ]
    if (!ablations) {
      replacements.push(['Zero', tf.zeros([1, width])], ['Mean', tf.tensor2d(mean, [1, width])])
      if (donors) replacements.push(['Resample', resampled(donors, batch, width)])
    }
    const columns = batch.length - 1
    const clean = predictionOf(logits)
    for (const [name, value] of replacements) {
      const { loss, divergence } = comparedWith(clean, replace(model, site, tokens, x, value), tokens)
      losses.set(`ce${name}`, host(loss))
      losses.set(`kl${name}`, host(divergence.slice([0, 0], [batch.windows.length, columns])))
    }
    return batch.windows.map((window, b) => {
      const bands = new Map<string, BandSums>()
      for (let position = firstPosition; position < window.tokens.length; position++) {
        const band = bandOf(position)
        const sums = bands.get(band) ?? new BandSums(band, width)
        bands.set(band, sums)
        const row = b * batch.length + position
        sums.addToken(target.subarray(row * width, (row + 1) * width), guess.subarray(row * width, (row + 1) * width))
        sums.addLatents(latents, row)
        if (position < window.tokens.length - 1)
          sums.addLosses(new Map([...losses].map(([name, values]) => [name, values[b * columns + position]!])))
      }
      return [...bands.values()]
    })
  } finally {
    x.dispose()
  }
}

/** For each token of a batch the value of another one, drawn by window and position, so that batches change nothing. */
function resampled(
  { values, seed }: NonNullable<ReconstructionOptions['donors']>,
  { windows, length }: WindowBatch,
  width: number,
): Tensor2D {
  const drawn = new Float32Array(windows.length * length * width)
  const count = values.length / width
  windows.forEach(({ id, tokens }, b) => {
    const random = new Random(seed, 'resample', id)
    for (let position = firstPosition; position < tokens.length; position++) {
      const donor = random.int(count)
      drawn.set(values.subarray(donor * width, (donor + 1) * width), (b * length + position) * width)
    }
  })
  return tf.tensor2d(drawn, [windows.length * length, width])
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

/** Logits with every position but the first replaced at the site by rows [batch · length, width] or by one row. */
function replace(model: Model, site: string, tokens: Tensor2D, x: Tensor, replacement: Tensor): Tensor3D {
  const before = startBefore(site)
  const isOne = replacement.shape[0] === 1
  return tf.tidy(() => {
    // Of a residual that is one row behind its first position nothing is left but the first token: windows that share it are alike.
    const alike = isOne && before === site ? firstOfEach(tokens) : undefined
    const [own, value] = alike ? [tokens.gather(alike.first), x.gather(alike.first)] : [tokens, x]
    const [batch, length] = own.shape
    const width = value.size / (batch * length)
    const first = value.reshape([batch, length, width]).slice([0, 0, 0], [batch, firstPosition, width])
    const whole = isOne
      ? replacement.reshape([1, 1, width]).tile([batch, length, 1])
      : replacement.reshape([batch, length, width])
    const rest = whole.slice([0, firstPosition, 0], [batch, length - firstPosition, width])
    const joined = tf.concat([first, rest], 1).reshape(value.shape)
    const start = before && (before === site ? (value as Tensor3D) : (model.run(own, { until: before }) as Tensor3D))
    const logits = model.run(own, {
      hooks: { [site]: () => joined },
      ...(before && start && { from: { site: before, value: start } }),
    }) as Tensor3D
    return alike ? logits.gather(alike.of) : logits
  })
}

/** The first row with each first token, and which of these each row is like. */
function firstOfEach(tokens: Tensor2D): { readonly first: Tensor1D; readonly of: Tensor1D } {
  const [batch, length] = tokens.shape
  const ids = tokens.dataSync()
  const rows: number[] = []
  const known = new Map<number, number>()
  const of = Int32Array.from({ length: batch }, (_, row) => {
    const id = ids[row * length]!
    if (!known.has(id)) known.set(id, rows.push(row) - 1)
    return known.get(id)!
  })
  return { first: tf.tensor1d(rows, 'int32'), of: tf.tensor1d(of, 'int32') }
}
