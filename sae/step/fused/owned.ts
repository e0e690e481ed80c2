/**
 * What fused steppers share: every weight lies with its moments in memory of its own, which ops change in place, and the
 * encoder lies as [latents, width], so that a latent is a row. `step.ts` defines what a fused step computes; a test holds
 * each to that.
 */
import { currentEngine } from '../../../engine/engine.ts'
import { hostValues } from '../../../engine/host.ts'
import { canRound, packEncoder } from '../../../engine/ops/sae/encode.ts'
import { type Screened, shareInQuestion } from '../../../engine/ops/sae/screening.ts'
import { type OwnSlot, type OwnWeights, own, ownZeros, type UpdateRule } from '../../../engine/ops/sae/update.ts'
import { type Tensor, type Tensor2D, tf } from '../../../engine/tf.ts'
import type { Batch, Params } from '../../architecture.ts'
import { spread } from '../../layers/linear.ts'
import type { Slot } from '../optimiser.ts'
import { rateAt } from '../schedule.ts'
import { readWhenAsked, type StepSnapshot } from '../snapshot.ts'
import { Stepper, type StepReport } from '../step.ts'

/** What a stepper is made of. */
export type StepperParts = ConstructorParameters<typeof Stepper>[0]

/** What one fused step gives besides its change of the weights. */
export interface Taken {
  /** Loss terms by name. */
  readonly terms: Record<string, number>
  /** Σ (x̂ − y)² over the batch. */
  readonly errors: number
  readonly gradientNorm: number
}

/** A stepper whose weights lie in memory of their own. A kind of step says how its batches are taken. */
export abstract class OwnedStepper extends Stepper {
  /** By the architecture's names; `wEnc` is [latents, width] here. */
  protected owned: Record<string, OwnSlot>
  /** The encoder for rounded products, which updates renew with it; undefined in float32. */
  protected packed: Tensor | undefined
  /** Encode in bfloat16 products. */
  protected readonly rounded: boolean
  /** What screening left in question of the step at hand. */
  private inQuestion: number | undefined

  constructor(parts: StepperParts) {
    super(parts)
    this.rounded = currentEngine().precision === 'bf16' && canRound()
    this.owned = this.takeOver()
  }

  /**
   * Changes the weights by one step, and gives how often each latent fired and, with `measure`, the figures. `rate` is this
   * step's learning rate. Leaves no tensor behind.
   */
  protected abstract change(
    batch: Batch,
    rate: number,
    measure: boolean,
  ): { counts: Int32Array; taken: Taken | undefined }

  override take(batch: Batch, options: { measure?: boolean; count?: boolean } = {}): StepReport | undefined {
    const { step } = this
    const rows = batch.input.shape[0]
    const rate = rateAt(this.settings, step, this.total)
    const kept = this.frozen === undefined ? undefined : own(this.owned[this.frozen]!.weight)
    const { counts, taken } = this.change(batch, rate, options.measure ?? false)
    if (kept) this.putBack(kept)
    this.firing.add(counts, rows, options.count ?? false)
    this.step++
    if (!taken) return undefined
    const { terms, errors, gradientNorm } = taken
    return {
      step,
      rate,
      terms,
      loss: Object.values(terms).reduce((sum, value) => sum + value, 0),
      fvu: errors / hostValues(() => spread(batch.target))[0]!,
      l0: counts.reduce((sum, value) => sum + value, 0) / rows,
      dead: this.firing.dead,
      gradientNorm,
      ...(this.inQuestion === undefined ? {} : { inQuestion: this.inQuestion }),
    }
  }

  /** Takes what an encoder's screening tells; of several calls in a step the last counts. */
  protected onScreened(rows: number): (report: Screened) => void {
    return report => {
      this.inQuestion = shareInQuestion(report, rows, this.shape.latents)
    }
  }

  /** Gives the frozen weight its bytes again, which ops have changed with all others. */
  private putBack(kept: Tensor): void {
    const slot = this.owned[this.frozen!]!
    slot.weight.dispose()
    this.owned[this.frozen!] = { ...slot, weight: kept }
    if (this.frozen !== 'wEnc') return
    this.packed?.dispose()
    this.pack(this.owned)
  }

  /** Takes the step as `Stepper` does, in dense tensors; the weights lie in the usual orientation while it lasts. */
  protected takePlain(batch: Batch, options: { measure?: boolean; count?: boolean }): StepReport | undefined {
    for (const [name, { weight, first, second }] of Object.entries(this.owned)) {
      const turn = (tensor: Tensor) => {
        if (name !== 'wEnc') return tensor
        const turned: Tensor = tf.transpose(tensor)
        tensor.dispose()
        return turned
      }
      const signum = this.settings.optimiser === 'signum'
      if (signum) second.dispose()
      this.slots.set(name, { weight: turn(weight), first: turn(first), second: signum ? undefined : turn(second) })
    }
    this.packed?.dispose()
    try {
      return super.take(batch, options)
    } finally {
      this.owned = this.takeOver()
    }
  }

  /** The optimiser's rule of this step. */
  protected ruleAt(rate: number, centred: boolean): UpdateRule {
    const { settings } = this
    return {
      optimiser: settings.optimiser,
      rate,
      beta1: settings.beta1,
      beta2: settings.beta2,
      epsilon: settings.epsilon,
      weightDecay: settings.weightDecay,
      count: this.step + 1,
      project: settings.projectGradient && this.owned.wDec !== undefined,
      unit: settings.decoderNorm === 'unit',
      centred,
    }
  }

  /** The four weights of a linear SAE, as ops take them. */
  protected get linear(): OwnWeights {
    return this.linearWith('wDec')
  }

  /** The same where the decoder has another name. */
  protected linearWith(decoder: string): OwnWeights {
    const { wEnc, bEnc, bDec } = this.owned
    return { wEnc: wEnc!, bEnc: bEnc!, wDec: this.owned[decoder]!, bDec: bDec!, packed: this.packed }
  }

  /** What a unit of Σ (x̂ − y)² adds to the reconstruction loss of that name; not for `norm`. */
  protected perError(reconstruction: string, target: Tensor2D): number {
    const [rows, width] = target.shape
    switch (reconstruction) {
      case 'sum':
        return 1 / rows
      case 'mean':
        return 1 / (rows * width)
      case 'normalised':
        return 1 / (rows * (this.variance || 1))
      default:
        return 1 / hostValues(() => spread(target))[0]!
    }
  }

  /** Only the weight: moments are made where they will lie. */
  protected override startSlot(weight: Tensor): Slot {
    return { weight, first: undefined as never, second: undefined }
  }

  /** Moves the slots into memory that updates change in place, one after the other. Moments that are not there are zero. */
  private takeOver(): Record<string, OwnSlot> {
    const owned: Record<string, OwnSlot> = {}
    for (const [name, slot] of this.slots) {
      const weight = this.placed(name, slot.weight)
      slot.weight.dispose()
      const place = (moment: Tensor | undefined) => {
        const placed = moment ? this.placed(name, moment) : ownZeros(weight.shape)
        moment?.dispose()
        return placed
      }
      owned[name] = { weight, first: place(slot.first), second: place(slot.second) }
    }
    this.slots.clear()
    this.pack(owned)
    return owned
  }

  private pack(owned: Record<string, OwnSlot>): void {
    this.packed = this.rounded ? packEncoder(owned.wEnc!.weight as Tensor2D) : undefined
  }

  /** A copy of a weight or moment, from its usual form to that which ops take, in memory of its own. */
  protected placed(name: string, tensor: Tensor): Tensor {
    return own(tensor, name === 'wEnc')
  }

  /** A copy in the usual form. */
  protected usual(name: string, tensor: Tensor): Tensor {
    return own(tensor, name === 'wEnc')
  }

  override weights(): Params {
    return Object.fromEntries(Object.entries(this.owned).map(([name, { weight }]) => [name, this.usual(name, weight)]))
  }

  override weight(name: string): Tensor | undefined {
    const slot = this.owned[name]
    return slot && this.usual(name, slot.weight)
  }

  override stored(): StepSnapshot {
    const tensors: StepSnapshot['tensors'] = {}
    for (const [name, slot] of Object.entries(this.owned))
      for (const [part, tensor] of Object.entries(slot) as [keyof OwnSlot, Tensor][]) {
        if (part === 'second' && this.settings.optimiser === 'signum') continue
        const shape = this.usualShape(name, tensor)
        tensors[`${part}.${name}`] = readWhenAsked(shape, () => {
          const usual = this.usual(name, tensor)
          const data = usual.dataSync() as Float32Array
          usual.dispose()
          return data
        })
      }
    const { silent, fired } = this.firing
    return { step: this.step, state: this.state, silent, fired, tensors }
  }

  protected usualShape(name: string, tensor: Tensor): number[] {
    return name === 'wEnc' ? [...tensor.shape].reverse() : tensor.shape
  }

  override restore(snapshot: StepSnapshot): void {
    super.restore(snapshot)
    this.packed?.dispose()
    for (const [name, slot] of Object.entries(this.owned)) {
      const read = (part: keyof OwnSlot): Tensor => {
        const saved = snapshot.tensors[`${part}.${name}`]
        const { shape } = slot[part]
        slot[part].dispose()
        if (!saved) return ownZeros(shape)
        const tensor = tf.tensor(saved.data, saved.shape)
        const placed = this.placed(name, tensor)
        tensor.dispose()
        return placed
      }
      this.owned[name] = { weight: read('weight'), first: read('first'), second: read('second') }
    }
    this.pack(this.owned)
  }

  private disposeOwned(): void {
    tf.dispose(Object.values(this.owned).flatMap(slot => Object.values(slot)))
    this.packed?.dispose()
  }

  override dispose(): void {
    super.dispose()
    this.disposeOwned()
  }
}
