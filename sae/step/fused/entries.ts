/**
 * What the fused steps of the ReLU family share. Their latents are the pre-activations above bounds: the entries. Only
 * these have values and gradients, so a step makes no [rows, latents] tensor:
 *
 *   encode   the entries π > bound of each row          `thresholdEncode`
 *   decode   x̂, its error, and the gradient of each entry's value       `entriesDecodeBack`
 *   a variant's own equations, in tensors [entries]: latents, their gradients, sums by latent
 *   update   all weights, in place          `entriesUpdate`
 *
 * While a batch has many entries, as at the start of a training, the plain step is faster and is taken instead. Which it
 * is depends on weights and rows alone, so a training that is cut and resumed takes the same steps.
 */
import { currentEngine } from '../../../engine/engine.ts'
import { hostValues } from '../../../engine/host.ts'
import {
  atEntries,
  type EntriesBack,
  entriesDecodeBack,
  entriesDecodeBackTwo,
} from '../../../engine/ops/sae/entries.ts'
import { type EntriesGradient, entriesUpdate } from '../../../engine/ops/sae/entries-update.ts'
import { rowNorms, unitRowsInPlace } from '../../../engine/ops/sae/rows.ts'
import { type Entries, thresholdEncode } from '../../../engine/ops/sae/threshold.ts'
import { type Scalar, type Tensor, type Tensor1D, type Tensor2D, tf } from '../../../engine/tf.ts'
import type { Batch, LossContext, State } from '../../architecture.ts'
import { centred } from '../../layers/linear.ts'
import { type Slot, update } from '../optimiser.ts'
import type { StepReport } from '../step.ts'
import { OwnedStepper } from './owned.ts'

/** Settings that all of the family have. */
export interface EntriesConfig {
  reconstruction: string
  decoderBiasOnInput: boolean
}

/** Whether a fused step has the reconstruction loss that these settings ask for. */
export function fitsEntries(config: Record<string, unknown>): boolean {
  return ['sum', 'mean', 'normalised', 'fvu'].includes((config as unknown as EntriesConfig).reconstruction)
}

/** What a variant's equations are given. */
export interface EntriesStep {
  readonly entries: Entries
  /** What the encoder read, [rows, width]. */
  readonly x: Tensor2D
  readonly rows: number
  readonly context: LossContext
  /** ‖W_dec,i‖, [latents]. */
  readonly norms: Tensor1D
  /** A tensor [latents] at each entry's latent. */
  at(perLatent: Tensor1D): Tensor1D
  /** Σ over the entries of each latent. */
  byLatent(perEntry: Tensor1D): Tensor1D
  /** Decodes these values of the entries and goes back from the reconstruction loss. */
  decode(values: Tensor1D): EntriesBack
  /** The same of two reconstructions at once. */
  decodeTwo(values: Tensor1D, more: Tensor1D): [EntriesBack, EntriesBack]
  /** What a unit of Σ (x̂ − y)² adds to the loss. */
  readonly perError: number
}

/** What a variant's equations give. */
export interface EntriesLoss {
  /** Latents of the entries; those above 0 have fired. */
  readonly latents: Tensor1D
  readonly gradient: Omit<EntriesGradient, 'entries'>
  /** Gradients of the weights besides encoder, decoder and their biases. */
  readonly others?: Readonly<Record<string, Tensor>>
  /** Σ (x̂ − y)² of each row. */
  readonly errors: Tensor1D
  /** Loss terms besides the reconstruction; asked for where a step is measured. */
  terms(): Record<string, Scalar>
}

export abstract class EntriesStepper extends OwnedStepper {
  /**
   * The densest batch, as a share of all rows times latents, whose step is taken from entries: about where it takes as long as
   * the plain step (measured at widths of 64, 256 and 768).
   */
  static densest(width: number, precision: 'float32' | 'bf16'): number {
    return precision === 'bf16' ? 1 / Math.min(16, 4 + width / 80) : 1 / Math.min(12, 4 + width / 170)
  }

  private given: { x: Tensor2D; entries: Entries } | undefined

  /** What a pre-activation must be larger than to be an entry, [latents]. Runs within a tidy. */
  protected abstract bounds(): Tensor1D

  /** Latents, losses and gradients from the entries. Runs within a tidy. */
  protected abstract differentiate(step: EntriesStep): EntriesLoss

  /** The running numbers after the step. Runs within a tidy. */
  protected observe(_step: EntriesStep, _latents: Tensor1D): State {
    return this.state
  }

  override take(batch: Batch, options: { measure?: boolean; count?: boolean } = {}): StepReport | undefined {
    const { linear } = this
    const { decoderBiasOnInput } = this.own as unknown as EntriesConfig
    const x = tf.tidy(() => centred(batch.input, linear.bDec.weight as Tensor1D, decoderBiasOnInput).clone())
    const bounds = tf.tidy(() => this.bounds())
    const share = EntriesStepper.densest(this.shape.outputs, currentEngine().precision)
    const entries = thresholdEncode(x, linear.wEnc.weight as Tensor2D, {
      bias: linear.bEnc.weight as Tensor1D,
      bounds,
      layout: 'out-in',
      limit: Math.floor(x.shape[0] * this.shape.latents * share),
      rounded: this.rounded,
      packed: this.packed,
      screened: this.onScreened(x.shape[0]),
    })
    bounds.dispose()
    try {
      if (!entries) return this.takePlain(batch, options)
      this.given = { x, entries }
      return super.take(batch, options)
    } finally {
      this.given = undefined
      tf.dispose([x, ...(entries ? Object.values(entries) : [])])
    }
  }

  protected change({ target }: Batch, rate: number, measure: boolean) {
    const { settings, linear, shape } = this
    const { x, entries } = this.given!
    const { reconstruction, decoderBiasOnInput } = this.own as unknown as EntriesConfig
    const wDec = linear.wDec.weight as Tensor2D
    const bDec = linear.bDec.weight as Tensor1D
    if (settings.decoderNorm === 'unit-before') unitRowsInPlace(wDec)
    const perError = this.perError(reconstruction, target)
    const context = this.context()
    let state = this.state
    const { counts, figures, names, ...others } = tf.tidy(() => {
      const step: EntriesStep = {
        entries,
        x,
        rows: target.shape[0],
        context,
        norms: rowNorms(wDec),
        at: perLatent => atEntries(perLatent, entries),
        byLatent: perEntry => tf.unsortedSegmentSum(perEntry, entries.indices, shape.latents) as Tensor1D,
        decode: values => entriesDecodeBack(target, { ...entries, values }, wDec, bDec, 2 * perError),
        decodeTwo: (values, more) =>
          entriesDecodeBackTwo(target, { ...entries, values }, more, wDec, bDec, 2 * perError),
        perError,
      }
      const loss = this.differentiate(step)
      const terms = measure ? loss.terms() : {}
      const squares = Object.values(loss.others ?? {}).map(gradient => gradient.square().sum())
      const { norm, clip } = entriesUpdate(
        linear,
        x,
        { ...loss.gradient, entries },
        this.ruleAt(rate, decoderBiasOnInput),
        {
          limit: settings.gradientClip,
          others: squares.length > 0 ? tf.addN(squares).dataSync()[0]! : 0,
        },
      )
      state = this.observe(step, loss.latents)
      return {
        counts: step.byLatent(tf.greater(loss.latents, 0).cast('float32')),
        figures: tf.stack([norm, loss.errors.sum(), ...Object.values(terms)]),
        names: Object.keys(terms),
        ...Object.fromEntries(Object.entries(loss.others ?? {}).map(([name, gradient]) => [name, gradient.mul(clip)])),
      }
    }) as { counts: Tensor; figures: Tensor; names: string[] } & Record<string, Tensor>
    context.dead?.dispose()
    this.state = state
    for (const [name, gradient] of Object.entries(others)) this.move(name, gradient as Tensor, rate)
    const fired = Int32Array.from(counts.dataSync())
    const [gradientNorm, errors, ...values] = hostValues(() => figures.clone())
    tf.dispose([counts, figures, ...(Object.values(others) as Tensor[])])
    if (!measure) return { counts: fired, taken: undefined }
    const terms: Record<string, number> = { reconstruction: errors! * perError }
    for (const [i, name] of names.entries()) terms[name] = values[i]!
    return { counts: fired, taken: { terms, errors: errors!, gradientNorm: gradientNorm! } }
  }

  /** Moves a weight that is no part of the linear ones by its gradient. */
  private move(name: string, gradient: Tensor, rate: number): void {
    const { weight, first, second } = this.owned[name]!
    const signum = this.settings.optimiser === 'signum'
    const slot: Slot = { weight, first, second: signum ? undefined : second }
    update(slot, gradient, rate, this.step + 1, this.settings)
    this.owned[name] = { weight: slot.weight, first: slot.first, second: slot.second ?? second }
  }
}

/** What a loss adds to the decoder gradient along the decoder's rows, where it weighs latents by their norms. */
export function alongDecoder(perNorm: Tensor1D, norms: Tensor1D): Tensor1D {
  return tf.divNoNan(perNorm, norms) as Tensor1D
}
