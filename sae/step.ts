/**
 * One training step, plain: loss, gradients by differentiation, projection, clipping, update, decoder norm, dead count.
 * It defines what a step means; it knows nothing of files or data.
 */
import { UserError } from '../core/errors.ts'
import { collectGarbage } from '../core/memory.ts'
import { type Scalar, type Tensor, type Tensor1D, type Tensor2D, tf } from '../engine/tf.ts'
import type { Architecture, Batch, Moment, Params, Shape, State } from './architecture.ts'
import { hostValues } from './host.ts'
import { decoderNorms, spread } from './linear.ts'
import { clip, makeSlot, type OptimiserSettings, type Slot, update } from './optimiser.ts'
import { kAt, type RateSchedule, rateAt, sparsityAt } from './schedule.ts'

/** The part of the training settings that a step reads. */
export interface StepSettings extends OptimiserSettings, RateSchedule {
  /** Largest norm of all gradients together; none when undefined. */
  readonly gradientClip?: number | undefined
  /** `unit`: decoder rows have norm 1 after every step. `unit-before`: they are brought to it before each step. */
  readonly decoderNorm: 'free' | 'unit' | 'unit-before'
  /** Take from the decoder gradient what is parallel to the decoder rows. */
  readonly projectGradient: boolean
  /** A latent that did not fire for so many rows is dead. */
  readonly deadAfterTokens: number
  readonly sparsityWarmUp: number
  /** k falls over so many steps from `kFrom` to the architecture's k. */
  readonly kAnneal?: number | undefined
  readonly kFrom?: number | undefined
}

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
}

/** Everything a step changes, as plain arrays: what a checkpoint stores. */
export interface StepSnapshot {
  readonly step: number
  readonly state: State
  readonly silent: Int32Array
  readonly fired: Int32Array
  /** Where `dtype` is given, `data` is made when it is asked for (`readWhenAsked`). */
  readonly tensors: Record<string, { shape: number[]; data: Float32Array; dtype?: 'F32' }>
}

const saturation = 2 ** 31 - 1
/** Above it, garbage is collected before an array is made; the engine of JavaScript lets gigabytes of arrays gather. */
const largeBytes = 2 ** 26

/** An SAE in training. `dispose` frees its tensors. */
export class Stepper {
  readonly architecture: Architecture
  readonly config: Record<string, unknown>
  readonly settings: StepSettings
  readonly shape: Shape
  readonly total: number
  readonly variance: number
  step = 0
  state: State
  /** Rows since each latent last fired, saturating. */
  readonly silent: Int32Array
  /** How often each latent fired in the steps that were counted. */
  readonly fired: Int32Array
  /** How often each latent fired since `forget`, and on how many rows. */
  readonly recent: { readonly counts: Int32Array; rows: number }
  protected readonly slots = new Map<string, Slot>()

  /** `params` become the stepper's; `total` is the number of steps the schedule is laid out for. */
  constructor(parts: {
    architecture: Architecture
    config: Record<string, unknown>
    settings: StepSettings
    shape: Shape
    params: Params
    total: number
    variance: number
  }) {
    if (parts.settings.decoderNorm !== 'free' && !parts.params.wDec)
      throw new UserError(`decoderNorm ${parts.settings.decoderNorm} does not apply to ${parts.architecture.name}.`, {
        fix: 'Set decoderNorm to free.',
      })
    this.architecture = parts.architecture
    this.config = parts.config
    this.settings = parts.settings
    this.shape = parts.shape
    this.total = parts.total
    this.variance = parts.variance
    this.state = parts.architecture.state?.(parts.config) ?? {}
    this.silent = new Int32Array(parts.shape.latents)
    this.fired = new Int32Array(parts.shape.latents)
    this.recent = { counts: new Int32Array(parts.shape.latents), rows: 0 }
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

  /** Number of latents that are dead now. */
  get dead(): number {
    let count = 0
    for (const rows of this.silent) if (rows >= this.settings.deadAfterTokens) count++
    return count
  }

  /**
   * Takes one step on a batch, which stays the caller's. `count` adds the batch to `fired`; `measure` asks for the report,
   * which costs a little.
   */
  take(batch: Batch, options: { measure?: boolean; count?: boolean } = {}): StepReport | undefined {
    const { settings, step } = this
    if (settings.decoderNorm === 'unit-before') this.normaliseDecoder()
    const moment = this.moment()
    const before = this.params
    const names = Object.keys(before)
    const { gradients, terms, latents, reconstruction } = differentiate(
      this.architecture,
      before,
      batch,
      this.config,
      moment,
    )
    const projected = names.map((name, i) =>
      name === 'wDec' && settings.projectGradient ? project(gradients[i]!, before.wDec as Tensor2D) : gradients[i]!,
    )
    const clipped = clip(projected, settings.gradientClip)
    const rate = rateAt(settings, step, this.total)
    names.forEach((name, i) => {
      update(this.slots.get(name)!, clipped.gradients[i]!, rate, step + 1, settings)
    })
    if (settings.decoderNorm === 'unit') this.normaliseDecoder()

    this.state = this.architecture.observe?.(latents, this.config, moment) ?? this.state
    const counts = hostValues(() => tf.greater(latents, 0).cast('int32').sum(0).cast('int32'))
    this.countFired(counts, latents.shape[0], options.count ?? false)
    const report = options.measure ? this.report(batch, terms, latents, reconstruction, clipped.norm, rate) : undefined
    tf.dispose([clipped.gradients, clipped.norm, terms, latents, reconstruction])
    moment.dead?.dispose()
    this.step++
    return report
  }

  /** The moment the next step's loss sees; its `dead` tensor is the caller's to dispose. */
  moment(): Moment {
    const { settings, step } = this
    const deadCount = this.dead
    return {
      step,
      total: this.total,
      deadCount,
      sparsity: sparsityAt(settings.sparsityWarmUp, step),
      variance: this.variance,
      state: this.state,
      ...(deadCount > 0 ? { dead: this.deadMask() } : {}),
      ...(settings.kAnneal
        ? {
            k: kAt(
              settings.kFrom ?? Math.min(this.shape.width, this.shape.latents),
              this.config.k as number,
              settings.kAnneal,
              step,
            ),
          }
        : {}),
    }
  }

  private deadMask(): Tensor1D {
    return tf.tensor1d(Float32Array.from(this.silent, rows => (rows >= this.settings.deadAfterTokens ? 1 : 0)))
  }

  private normaliseDecoder(): void {
    const slot = this.slots.get('wDec')
    if (!slot) return
    const unit = tf.tidy(() => tf.divNoNan(slot.weight, decoderNorms(slot.weight as Tensor2D).reshape([-1, 1])))
    slot.weight.dispose()
    slot.weight = unit
  }

  /** Marks latents alive that fired in a batch of that many rows; `count` adds to `fired`. */
  protected countFired(counts: ArrayLike<number>, rows: number, count: boolean): void {
    this.recent.rows += rows
    for (let i = 0; i < counts.length; i++) {
      this.recent.counts[i]! += counts[i]!
      this.silent[i] = counts[i]! > 0 ? 0 : Math.min(saturation, this.silent[i]! + rows)
      if (count) this.fired[i]! += counts[i]!
    }
  }

  /** Begins to count `recent` anew. */
  forget(): void {
    this.recent.counts.fill(0)
    this.recent.rows = 0
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
        tf.greater(latents, 0).cast('float32').sum(1).mean(),
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
      dead: this.dead,
    }
  }

  /** Everything that changes, copied to the host. */
  async snapshot(): Promise<StepSnapshot> {
    const stored = this.stored()
    const tensors: StepSnapshot['tensors'] = {}
    for (const [name, { shape, data }] of Object.entries(stored.tensors)) tensors[name] = { shape, data }
    return { ...stored, silent: this.silent.slice(), fired: this.fired.slice(), tensors }
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
    return { step: this.step, state: this.state, silent: this.silent, fired: this.fired, tensors }
  }

  /** Goes back to a snapshot of a stepper with the same shape and architecture. */
  restore(snapshot: StepSnapshot): void {
    this.step = snapshot.step
    this.state = snapshot.state
    this.silent.set(snapshot.silent)
    this.fired.set(snapshot.fired)
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

/** A tensor of a snapshot whose data are made when they are asked for; what was made before may go. */
export function readWhenAsked(shape: number[], read: () => Float32Array): StepSnapshot['tensors'][string] {
  return {
    shape,
    dtype: 'F32',
    get data() {
      if (shape.reduce((size, axis) => size * axis, 4) > largeBytes) collectGarbage()
      return read()
    },
  }
}

/** The loss of a batch and its gradient for every weight, zero where the loss does not depend on it. Nothing is tidied. */
export function differentiate(
  architecture: Architecture,
  params: Params,
  batch: Batch,
  config: Record<string, unknown>,
  moment: Moment,
): { gradients: Tensor[]; terms: Record<string, Scalar>; latents: Tensor2D; reconstruction: Tensor2D } {
  const weights = Object.values(params)
  const kept: { terms: Record<string, Scalar>; latents?: Tensor2D; reconstruction?: Tensor2D } = { terms: {} }
  const { value, grads } = tf.engine().gradients(
    () => {
      const { terms, latents, reconstruction } = architecture.loss(params, batch, config, moment)
      for (const [name, term] of Object.entries(terms)) kept.terms[name] = tf.keep(term.clone())
      kept.latents = tf.keep(latents.clone())
      kept.reconstruction = tf.keep(reconstruction.clone())
      return tf.addN(Object.values(terms)) as Scalar
    },
    weights,
    null as never,
    true,
  )
  value.dispose()
  return {
    gradients: weights.map((weight, i) => grads[i] ?? tf.zerosLike(weight)),
    terms: kept.terms,
    latents: kept.latents!,
    reconstruction: kept.reconstruction!,
  }
}

/** The gradient without its component along each decoder row; disposes the gradient it was given. */
function project(gradient: Tensor, wDec: Tensor2D): Tensor {
  const projected = tf.tidy(() => {
    const unit = tf.divNoNan(wDec, decoderNorms(wDec).reshape([-1, 1]))
    return gradient.sub(gradient.mul(unit).sum(1, true).mul(unit))
  })
  gradient.dispose()
  return projected
}
