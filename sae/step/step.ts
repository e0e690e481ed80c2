/**
 * One training step, plain: loss, gradients by differentiation, projection, clipping, update, decoder norm, dead count.
 * It defines what a step means; it knows nothing of files or data.
 */
import { UserError } from '../../core/errors.ts'
import { hostValues } from '../../engine/host.ts'
import { type Tensor, type Tensor2D, tf } from '../../engine/tf.ts'
import type { Architecture, Batch, LossContext, Params, Shape, State } from '../architecture.ts'
import { decoderNorms, spread } from '../layers/linear.ts'
import { Firing } from './firing.ts'
import { differentiate, project } from './gradients.ts'
import { clip, makeSlot, type OptimiserSettings, type Slot, update } from './optimiser.ts'
import { kAt, type RateSchedule, rateAt, sparsityAt } from './schedule.ts'
import { readWhenAsked, type StepSnapshot } from './snapshot.ts'

/** The part of the training settings that a step reads. */
export interface StepSettings extends OptimiserSettings, RateSchedule {
  /** Largest norm of all gradients together; none when undefined. */
  readonly gradientClip?: number | undefined
  /** `unit`: decoder rows have norm 1 after every step. `unit-before`: they are brought to it before each step. */
  readonly decoderNorm: 'free' | 'unit' | 'unit-before'
  /** Take from the decoder gradient what is parallel to the decoder rows. */
  readonly projectGradient: boolean
  /**
   * A matrix that keeps every byte: of the encoder or of the decoder. Its gradient counts in the norm of all of them. Decoder
   * rows that stay as they are need no norm and no projection.
   */
  readonly freeze?: 'encoder' | 'decoder' | undefined
  /** A latent that did not fire for so many rows is dead. */
  readonly deadAfterTokens: number
  readonly sparsityWarmUp: number
  /** k falls over so many steps from `kFrom` to the architecture's k. */
  readonly kAnneal?: number | undefined
  readonly kFrom?: number | undefined
}

/** The matrices that `freeze` names. */
const matrixOf = { encoder: 'wEnc', decoder: 'wDec' } as const

/** What a step reports; only with `measure`, the other fields are always there. */
export interface StepReport {
  readonly step: number
  readonly rate: number
  /** Loss terms by name, and their sum. */
  readonly terms: Record<string, number>
  readonly loss: number
  readonly fvu: number
  readonly l0: number
  readonly dead: number
  readonly gradientNorm: number
  /** The share of rows times latents that screening left in question (`engine/ops/sae/screening.ts`); where it was used. */
  readonly inQuestion?: number
}

/** An SAE in training. `dispose` frees its tensors. */
export class Stepper {
  readonly architecture: Architecture
  readonly own: Record<string, unknown>
  readonly settings: StepSettings
  readonly shape: Shape
  readonly total: number
  readonly variance: number
  /** Name of the weight that steps leave as it is. */
  protected readonly frozen: string | undefined
  step = 0
  state: State
  /** Which latents fired in the steps so far, and which are dead. */
  readonly firing: Firing
  protected readonly slots = new Map<string, Slot>()

  /** `params` become the stepper's; `total` is the number of steps the schedule is laid out for. */
  constructor(parts: {
    architecture: Architecture
    own: Record<string, unknown>
    settings: StepSettings
    shape: Shape
    params: Params
    total: number
    variance: number
  }) {
    const { freeze } = parts.settings
    if (freeze && !parts.params[matrixOf[freeze]])
      throw new UserError(`freeze ${freeze} does not apply to ${parts.architecture.name}, which has no such matrix.`, {
        fix: 'Leave freeze out.',
      })
    if (parts.settings.decoderNorm !== 'free' && !parts.params.wDec)
      throw new UserError(`decoderNorm ${parts.settings.decoderNorm} does not apply to ${parts.architecture.name}.`, {
        fix: 'Set decoderNorm to free.',
      })
    this.architecture = parts.architecture
    this.own = parts.own
    this.settings =
      freeze === 'decoder' ? { ...parts.settings, decoderNorm: 'free', projectGradient: false } : parts.settings
    this.frozen = freeze && matrixOf[freeze]
    this.shape = parts.shape
    this.total = parts.total
    this.variance = parts.variance
    this.state = parts.architecture.state?.(parts.own) ?? {}
    this.firing = new Firing(parts.shape.latents, parts.settings.deadAfterTokens)
    for (const [name, weight] of Object.entries(parts.params)) this.slots.set(name, this.startSlot(weight))
  }

  /** A weight and its moments at the start. */
  protected startSlot(weight: Tensor): Slot {
    return makeSlot(weight, this.settings)
  }

  /** The weights as they are; they stay the stepper's. */
  get params(): Params {
    return Object.fromEntries([...this.slots].map(([name, slot]) => [name, slot.weight]))
  }

  /** Copies of the weights; they are the caller's. */
  weights(): Params {
    return Object.fromEntries([...this.slots].map(([name, slot]) => [name, slot.weight.clone()]))
  }

  /** A copy of one weight, which is the caller's; undefined where there is none of that name. */
  weight(name: string): Tensor | undefined {
    return this.slots.get(name)?.weight.clone()
  }

  /**
   * Takes one step on a batch, which stays the caller's. `count` adds the batch to `fired`; `measure` asks for the report,
   * which costs a little.
   */
  take(batch: Batch, options: { measure?: boolean; count?: boolean } = {}): StepReport | undefined {
    const { settings, step } = this
    if (settings.decoderNorm === 'unit-before') this.normaliseDecoder()
    const context = this.context()
    const before = this.params
    const names = Object.keys(before)
    const { gradients, terms, latents, reconstruction } = differentiate(
      this.architecture,
      before,
      batch,
      this.own,
      context,
    )
    const projected = names.map((name, i) =>
      name === 'wDec' && settings.projectGradient ? project(gradients[i]!, before.wDec as Tensor2D) : gradients[i]!,
    )
    const clipped = clip(projected, settings.gradientClip)
    const rate = rateAt(settings, step, this.total)
    names.forEach((name, i) => {
      if (name !== this.frozen) update(this.slots.get(name)!, clipped.gradients[i]!, rate, step + 1, settings)
    })
    if (settings.decoderNorm === 'unit') this.normaliseDecoder()

    this.state = this.architecture.observe?.(latents, this.own, context) ?? this.state
    const counts = hostValues(() => tf.notEqual(latents, 0).cast('int32').sum(0).cast('int32'))
    this.firing.add(counts, latents.shape[0], options.count ?? false)
    const report = options.measure ? this.report(batch, terms, latents, reconstruction, clipped.norm, rate) : undefined
    tf.dispose([clipped.gradients, clipped.norm, terms, latents, reconstruction])
    context.dead?.dispose()
    this.step++
    return report
  }

  /** The context the next step's loss sees; its `dead` tensor is the caller's to dispose. */
  context(): LossContext {
    const { settings, step } = this
    const deadCount = this.firing.dead
    return {
      step,
      total: this.total,
      deadCount,
      sparsity: sparsityAt(settings.sparsityWarmUp, step),
      variance: this.variance,
      state: this.state,
      ...(deadCount > 0 ? { dead: tf.tensor1d(this.firing.deadMask()) } : {}),
      ...(settings.kAnneal
        ? {
            k: kAt(
              settings.kFrom ?? Math.min(this.shape.width, this.shape.latents),
              this.own.k as number,
              settings.kAnneal,
              step,
            ),
          }
        : {}),
    }
  }

  private normaliseDecoder(): void {
    const slot = this.slots.get('wDec')
    if (!slot) return
    const unit = tf.tidy(() => tf.divNoNan(slot.weight, decoderNorms(slot.weight as Tensor2D).reshape([-1, 1])))
    slot.weight.dispose()
    slot.weight = unit
  }

  private report(
    { target }: Batch,
    terms: Record<string, Tensor>,
    latents: Tensor2D,
    reconstruction: Tensor2D,
    norm: Tensor,
    rate: number,
  ): StepReport {
    const names = Object.keys(terms)
    const numbers = hostValues(() =>
      tf.stack([
        ...Object.values(terms),
        norm.asScalar(),
        target.sub(reconstruction).square().sum().div(spread(target)),
        tf.notEqual(latents, 0).cast('float32').sum(1).mean(),
      ]),
    )
    const byName = Object.fromEntries(names.map((name, i) => [name, numbers[i]!]))
    return {
      step: this.step,
      rate,
      terms: byName,
      loss: Object.values(byName).reduce((sum, value) => sum + value, 0),
      gradientNorm: numbers[names.length]!,
      fvu: numbers[names.length + 1]!,
      l0: numbers[names.length + 2]!,
      dead: this.firing.dead,
    }
  }

  /** Everything that changes, copied to the host. */
  async snapshot(): Promise<StepSnapshot> {
    const stored = this.stored()
    const tensors: StepSnapshot['tensors'] = {}
    for (const [name, { shape, data }] of Object.entries(stored.tensors)) tensors[name] = { shape, data }
    return { ...stored, silent: stored.silent.slice(), fired: stored.fired.slice(), tensors }
  }

  /**
   * The same without copies: each tensor is read when its data are asked for, anew each time, and they are those of now only
   * until the next step. What is to be written needs no more than one of them at a time.
   */
  stored(): StepSnapshot {
    const tensors: StepSnapshot['tensors'] = {}
    for (const [name, slot] of this.slots)
      for (const [part, tensor] of Object.entries(slot) as [keyof Slot, Tensor | undefined][])
        if (tensor) tensors[`${part}.${name}`] = readWhenAsked(tensor.shape, () => tensor.dataSync() as Float32Array)
    const { silent, fired } = this.firing
    return { step: this.step, state: this.state, silent, fired, tensors }
  }

  /** Goes back to a snapshot of a stepper with the same shape and architecture. */
  restore(snapshot: StepSnapshot): void {
    this.step = snapshot.step
    this.state = snapshot.state
    this.firing.silent.set(snapshot.silent)
    this.firing.fired.set(snapshot.fired)
    for (const [name, slot] of this.slots)
      for (const part of ['weight', 'first', 'second'] as const) {
        const saved = snapshot.tensors[`${part}.${name}`]
        slot[part]?.dispose()
        slot[part] = saved ? tf.tensor(saved.data, saved.shape) : (undefined as never)
      }
  }

  dispose(): void {
    for (const slot of this.slots.values()) tf.dispose([slot.weight, slot.first, ...(slot.second ? [slot.second] : [])])
    this.slots.clear()
  }
}
