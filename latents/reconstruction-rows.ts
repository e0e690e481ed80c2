/**
 * What figures of a reconstruction are made of: sums over the tokens of a window that lie in one band of positions. Sums are plain
 * numbers, so that figures of the whole, of a stratum or of a band follow from rows that were kept, without model or SAE.
 *
 * The variance is taken about the mean of all rows: each keeps its tokens' spread about their own mean by Welford's updates, and
 * what its mean lies off the whole's is added when all are there (Chan, Golub and LeVeque 1983).
 */
import { UserError } from '../core/errors.ts'
import { type Quality, qualityDefinitions, qualityVersion } from '../sae/measure/quality.ts'
import type { Sae, SparseLatents } from '../sae/sae.ts'

/** What each figure is, by name. */
export const reconstructionDefinitions: Readonly<Record<string, string>> = {
  ...qualityDefinitions,
  l2In: 'mean of ‖x‖; l2Out that of ‖x̂‖',
  ce: 'mean loss of tokens 2 … predicted from positions 1 …, nats; position 0 is not replaced',
  ceRecoveredZero: '(CE zero-ablated − CE spliced) / (CE zero-ablated − CE clean)',
  ceRecoveredMean: '(CE mean-ablated − CE spliced) / (CE mean-ablated − CE clean)',
  ceRecoveredResample: 'the same against values of other tokens of discovery text, drawn by lot',
  kl: 'mean KL(clean ‖ replaced) at positions 1 …, nats',
  klRecoveredZero: '1 − KL spliced / KL zero-ablated; klRecoveredMean and klRecoveredResample likewise',
}

/** Sums of losses and divergences that a row keeps, nats. */
export const lossNames = [
  ...(['ceClean', 'ceSpliced', 'ceZero', 'ceMean', 'ceResample'] as const),
  ...(['klSpliced', 'klZero', 'klMean', 'klResample'] as const),
] as const
type LossName = (typeof lossNames)[number]

/** The model's loss with the site as it is, replaced by the reconstruction, by 0, by the mean, by other tokens' values; nats a token. */
export type Losses = Readonly<Record<Exclude<LossName, 'ceResample' | 'klResample'>, number>> & {
  /** Null where there was nothing to draw from. */
  readonly ceResample: number | null
  readonly klResample: number | null
}

/** What ablation of a site does to the loss; it does not depend on the SAE. */
export type Ablations = Omit<Losses, 'ceClean' | 'ceSpliced' | 'klSpliced'>

/** Figures of values and of the model's loss with them replaced. */
export type ReconstructionFigures = Quality &
  Losses & {
    /** Mean ‖x‖ and ‖x̂‖. */
    readonly l2In: number | null
    readonly l2Out: number | null
    /** Share of tokens at which each latent fires. */
    readonly density: Float64Array
    readonly ceRecoveredZero: number | null
    readonly ceRecoveredMean: number | null
    readonly ceRecoveredResample: number | null
    readonly klRecoveredZero: number | null
    readonly klRecoveredMean: number | null
    readonly klRecoveredResample: number | null
  }

/** Sums over tokens that a row keeps: of ‖x − x̂‖², ‖x̂‖², ⟨x, x̂⟩, cosines, ‖x̂‖ / ‖x‖, tokens that are not 0, ‖x‖, ‖x̂‖, latents that fire, their sizes. */
export const sumNames = [
  ...(['error', 'guess', 'product', 'cosine', 'ratio', 'nonzero', 'norm', 'guessNorm', 'active', 'size'] as const),
] as const

/** Sums over a window's tokens in a band; `spread` is about the mean of all rows that were measured together. */
export type ReconstructionRow = Readonly<Record<(typeof sumNames)[number] | 'spread', number>> &
  Readonly<Record<LossName, number | null>> & {
    readonly window: string
    readonly band: string
    readonly tokens: number
    /** Tokens whose next one is predicted: what losses are sums over. */
    readonly predicted: number
    /** Latents that fire, and at how many of the tokens. */
    readonly latents: readonly number[]
    readonly counts: readonly number[]
  }

/** Sums of one window and band while tokens are added. */
export class BandSums {
  readonly band: string
  readonly mean: Float64Array
  tokens = 0
  predicted = 0
  within = 0
  readonly sums = {
    ...{ error: 0, guess: 0, product: 0, cosine: 0, ratio: 0, nonzero: 0, norm: 0, guessNorm: 0, active: 0, size: 0 },
  }
  readonly losses = new Map<LossName, number>()
  readonly fired = new Map<number, number>()

  constructor(band: string, width: number) {
    this.band = band
    this.mean = new Float64Array(width)
  }

  /** A token's value and its reconstruction, both [width]; a `UserError` where one is no finite number. */
  addToken(target: Float32Array, guess: Float32Array): void {
    const { mean, sums } = this
    const inverse = 1 / ++this.tokens
    let [spread, error, xx, yy, xy] = [0, 0, 0, 0, 0]
    for (let i = 0; i < mean.length; i++) {
      const [x, y] = [target[i]!, guess[i]!]
      const delta = x - mean[i]!
      mean[i]! += delta * inverse
      spread += delta * (x - mean[i]!)
      error += (x - y) * (x - y)
      xx += x * x
      yy += y * y
      xy += x * y
    }
    if (!Number.isFinite(error)) throw notFinite(Number.isFinite(xx) ? 'The reconstruction' : 'The value')
    this.within += spread
    sums.error += error
    sums.guess += yy
    sums.product += xy
    sums.norm += Math.sqrt(xx)
    sums.guessNorm += Math.sqrt(yy)
    if (xx === 0) return
    sums.nonzero++
    sums.ratio += Math.sqrt(yy / xx)
    if (yy > 0) sums.cosine += xy / Math.sqrt(xx * yy)
  }

  /** What fires in a row of sparse latents. */
  addLatents({ offsets, indices, values }: SparseLatents, row: number): void {
    for (let e = offsets[row]!; e < offsets[row + 1]!; e++) {
      this.fired.set(indices[e]!, (this.fired.get(indices[e]!) ?? 0) + 1)
      this.sums.active++
      this.sums.size += Math.abs(values[e]!)
    }
  }

  /** Losses and divergences at a token whose next one is known. */
  addLosses(losses: ReadonlyMap<LossName, number>): void {
    this.predicted++
    for (const [name, value] of losses) this.losses.set(name, (this.losses.get(name) ?? 0) + value)
  }
}

/** The rows of windows, by name: spreads about the mean of all of their tokens. */
export function rowsOf(
  windows: readonly (readonly [window: string, bands: readonly BandSums[]])[],
  width: number,
): ReconstructionRow[] {
  const mean = new Float64Array(width)
  let count = 0
  for (const [, bands] of windows)
    for (const { tokens, mean: own } of bands) {
      count += tokens
      for (let i = 0; i < width; i++) mean[i]! += (tokens / count) * (own[i]! - mean[i]!)
    }
  return windows.flatMap(([window, bands]) =>
    bands.map((band): ReconstructionRow => {
      const fired = [...band.fired].sort(([a], [b]) => a - b)
      const off = band.mean.reduce((sum, value, i) => sum + (value - mean[i]!) ** 2, 0)
      const losses = lossNames.map(name => [name, band.losses.get(name) ?? null] as const)
      return {
        ...{ window, band: band.band, tokens: band.tokens, predicted: band.predicted },
        ...{ spread: band.within + band.tokens * off, ...band.sums },
        ...(Object.fromEntries(losses) as Record<LossName, number | null>),
        latents: fired.map(([latent]) => latent),
        counts: fired.map(([, times]) => times),
      }
    }),
  )
}

/** The figures of these rows; ablations that are known stand for those that the rows do not have. */
export function figuresOf(
  rows: readonly ReconstructionRow[],
  { latents, width }: Pick<Sae, 'latents' | 'width'>,
  ablations?: Ablations,
): ReconstructionFigures {
  const total = (name: 'tokens' | 'predicted' | 'spread' | (typeof sumNames)[number]) =>
    rows.reduce((sum, row) => sum + row[name], 0)
  const [tokens, predicted] = [total('tokens'), total('predicted')]
  const fired = new Float64Array(latents)
  for (const row of rows)
    row.latents.forEach((latent, i) => {
      fired[latent]! += row.counts[i]!
    })
  const lossOf = (name: LossName) => {
    let sum: number | null = null
    for (const row of rows) if (row[name] !== null) sum = (sum ?? 0) + row[name]
    return sum === null ? null : sum / predicted
  }
  const measured = Object.fromEntries(lossNames.map(name => [name, lossOf(name)])) as Record<LossName, number | null>
  const losses = { ...measured, ...ablations } as Losses
  for (const [name, value] of Object.entries(losses))
    if (value === null ? !name.endsWith('Resample') : !Number.isFinite(value))
      throw new UserError('The loss of the model on the held-out text is not a finite number.', {
        fix: 'Check the weights of model and SAE for NaN and infinity.',
      })
  const { ceClean, ceSpliced, klSpliced } = losses
  const ce = (ablated: number | null) =>
    ablated !== null && ablated > ceClean ? (ablated - ceSpliced) / (ablated - ceClean) : null
  const kl = (ablated: number | null) => (ablated !== null && ablated > 0 ? 1 - klSpliced / ablated : null)
  const fvu = ratio(total('error'), total('spread'))
  return {
    definitions: qualityVersion,
    rows: tokens,
    fvu,
    explainedVariance: fvu === null ? null : 1 - fvu,
    mse: ratio(total('error'), tokens),
    msePerDimension: ratio(total('error'), tokens * width),
    cosine: ratio(total('cosine'), tokens),
    l2Ratio: ratio(total('ratio'), total('nonzero')),
    relativeBias: ratio(total('guess'), total('product')),
    l0: ratio(total('active'), tokens),
    l1: ratio(total('size'), tokens),
    dead: tokens === 0 ? null : fired.reduce((dead, times) => dead + (times === 0 ? 1 : 0), 0),
    l2In: ratio(total('norm'), tokens),
    l2Out: ratio(total('guessNorm'), tokens),
    density: fired.map(times => times / Math.max(1, tokens)),
    ...losses,
    ceRecoveredZero: ce(losses.ceZero),
    ceRecoveredMean: ce(losses.ceMean),
    ceRecoveredResample: ce(losses.ceResample),
    klRecoveredZero: kl(losses.klZero),
    klRecoveredMean: kl(losses.klMean),
    klRecoveredResample: kl(losses.klResample),
  }
}

const ratio = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole)

function notFinite(what: string): UserError {
  return new UserError(`${what} at the site is not made of finite numbers.`, {
    fix: 'Check the weights of model and SAE for NaN and infinity; where training diverged, lower learningRate.',
  })
}
