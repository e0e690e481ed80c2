/**
 * The same training step by fused ops, for TopK and BatchTopK: no [rows, latents] tensor is made, gradients are summed
 * latent by latent, and weights are updated in place. `step.ts` defines what it computes; a test holds it to that.
 */
import { currentEngine } from '../engine/engine.ts'
import { type ChosenLatents, canRound, packEncoder, topKEncode } from '../engine/ops/sae/encode.ts'
import { topKStep } from '../engine/ops/sae/step.ts'
import { canUpdate, type OwnSlot, type OwnWeights, own } from '../engine/ops/sae/update.ts'
import { type Tensor, type Tensor1D, type Tensor2D, tf } from '../engine/tf.ts'
import type { Architecture, Batch, Params } from './architecture.ts'
import { moveThreshold } from './architectures/batchtopk.ts'
import type { AuxiliarySettings } from './auxiliary.ts'
import { hostValues } from './host.ts'
import { spread } from './linear.ts'
import { rateAt } from './schedule.ts'
import { firstLargest, nthLargestPositive } from './select.ts'
import { Stepper, type StepReport, type StepSettings, type StepSnapshot } from './step.ts'

type TopkConfig = AuxiliarySettings & {
  k: number
  reconstruction: string
  decoderBiasOnInput: boolean
  rescaleByDecoderNorm: boolean
  thresholdRate: number
  thresholdFrom: number
}

const names = ['wEnc', 'bEnc', 'wDec', 'bDec'] as const

/** Whether the fused step computes what these settings ask for, and its ops are there. */
export function canFuse(architecture: Architecture, config: Record<string, unknown>, settings: StepSettings): boolean {
  if (architecture.name !== 'topk' && architecture.name !== 'batchtopk') return false
  const { reconstruction, rescaleByDecoderNorm, auxCoefficient, auxRelu, auxDecoderBias, auxToEncoder } =
    config as TopkConfig
  return (
    canUpdate() &&
    settings.decoderNorm !== 'unit-before' &&
    ['sum', 'mean', 'normalised', 'fvu'].includes(reconstruction) &&
    !rescaleByDecoderNorm &&
    (auxCoefficient === 0 || (auxRelu && !auxDecoderBias && auxToEncoder))
  )
}

/** A stepper whose weights lie in memory of their own, the encoder as [latents, width]. */
export class FusedStepper extends Stepper {
  private owned: OwnWeights
  private readonly rounded: boolean
  /** Latents a row that a BatchTopK looks at; it grows when a row might have kept more. */
  private reach = 0

  constructor(parts: ConstructorParameters<typeof Stepper>[0]) {
    super(parts)
    this.rounded = currentEngine().precision === 'bf16' && canRound()
    this.owned = this.takeOver()
  }

  private get topk(): TopkConfig {
    return this.config as TopkConfig
  }

  /** Moves the slots into memory that updates change in place. */
  private takeOver(): OwnWeights {
    const slots = Object.fromEntries(
      names.map(name => {
        const { weight, first, second } = this.slots.get(name)!
        const place = (tensor: Tensor) =>
          tf.tidy(() => own(name === 'wEnc' ? (tf.transpose(tensor as Tensor2D) as Tensor) : tensor))
        const slot = { weight: place(weight), first: place(first), second: place(second ?? tf.zerosLike(weight)) }
        tf.dispose([weight, first, ...(second ? [second] : [])])
        return [name, slot]
      }),
    ) as Record<(typeof names)[number], OwnSlot>
    this.slots.clear()
    return { ...slots, packed: this.rounded ? packEncoder(slots.wEnc.weight as Tensor2D) : undefined }
  }

  override weights(): Params {
    return Object.fromEntries(names.map(name => [name, this.usual(name, this.owned[name].weight)]))
  }

  /** A copy in the usual orientation. */
  private usual(name: string, tensor: Tensor): Tensor {
    return tf.tidy(() => (name === 'wEnc' ? tf.transpose(tensor as Tensor2D) : own(tensor)) as Tensor)
  }

  override take(batch: Batch, options: { measure?: boolean; count?: boolean } = {}): StepReport | undefined {
    const { settings, topk, shape, step } = this
    const { input, target } = batch
    const rows = input.shape[0]
    const rate = rateAt(settings, step, this.total)
    const moment = this.moment()
    moment.dead?.dispose()
    const k = moment.k ?? topk.k
    const perError = this.perError(target)
    const batched = this.architecture.name === 'batchtopk'
    let smallest = Number.POSITIVE_INFINITY
    const wanted = topk.auxK ?? Math.floor(shape.outputs / 2)
    const auxiliary = moment.deadCount > 0 && topk.auxCoefficient > 0 && wanted > 0
    const weight = topk.auxCoefficient * (topk.auxScaleByDead ? Math.min(moment.deadCount / wanted, 1) : 1)
    const auxiliaryOf = (residual: Tensor2D) =>
      topk.auxNormalise === 'none'
        ? tf.scalar(weight / rows)
        : tf.scalar(weight).div(spread(topk.auxNormalise === 'residual' ? residual : target))
    let perAuxiliary = 0

    const result = topKStep(this.owned, input, target, {
      k: Math.min(Math.floor(k), shape.latents),
      ...(batched
        ? {
            choose: (x: Tensor2D) => {
              const { chosen, least } = this.chooseOfBatch(x, Math.floor(k * rows), Math.ceil(k))
              smallest = least
              return chosen
            },
          }
        : {}),
      scale: 2 * perError,
      rounded: this.rounded,
      gradientClip: settings.gradientClip,
      rule: {
        optimiser: settings.optimiser,
        rate,
        beta1: settings.beta1,
        beta2: settings.beta2,
        epsilon: settings.epsilon,
        weightDecay: settings.weightDecay,
        count: step + 1,
        project: settings.projectGradient,
        unit: settings.decoderNorm === 'unit',
        centred: topk.decoderBiasOnInput,
      },
      ...(auxiliary
        ? {
            dead: {
              latents: this.deadLatents(),
              k: wanted,
              scale: (residual: Tensor2D) => {
                const scale = auxiliaryOf(residual)
                perAuxiliary = scale.dataSync()[0]!
                return scale.mul(2)
              },
            },
          }
        : {}),
    })

    if (batched) this.state = moveThreshold(this.state, smallest, topk, step)
    const counts = result.counts.dataSync() as Int32Array
    this.countFired(counts, rows, options.count ?? false)
    let report: StepReport | undefined
    if (options.measure) {
      const [errors, auxiliaryErrors, norm, total] = hostValues(() =>
        tf.stack([
          result.errors.sum(),
          result.auxiliaryErrors?.sum() ?? tf.scalar(0),
          result.norm.asScalar(),
          spread(target),
        ]),
      )
      const terms: Record<string, number> = { reconstruction: errors! * perError }
      if (auxiliary) terms.auxiliary = auxiliaryErrors! * perAuxiliary
      report = {
        step,
        rate,
        terms,
        loss: Object.values(terms).reduce((sum, value) => sum + value, 0),
        fvu: errors! / total!,
        l0: counts.reduce((sum, value) => sum + value, 0) / rows,
        dead: this.dead,
        gradientNorm: norm!,
      }
    }
    tf.dispose(Object.values(result))
    this.step++
    return report
  }

  /** What a unit of Σ (x̂ − y)² adds to the loss. */
  private perError(target: Tensor2D): number {
    const [rows, width] = target.shape
    switch (this.topk.reconstruction) {
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

  private deadLatents(): Int32Array {
    const dead: number[] = []
    for (const [i, rows] of this.silent.entries()) if (rows >= this.settings.deadAfterTokens) dead.push(i)
    return Int32Array.from(dead)
  }

  /**
   * The `count` largest latents of the batch, from each row's `reach` largest: exact, since the reach grows where a row
   * keeps all it was looked at for.
   */
  private chooseOfBatch(x: Tensor2D, count: number, k: number): { chosen: ChosenLatents; least: number } {
    const { shape, owned } = this
    this.reach = Math.min(shape.latents, Math.max(this.reach, 2 * k))
    for (;;) {
      const { values, indices } = topKEncode(x, owned.wEnc.weight as Tensor2D, {
        k: this.reach,
        bias: owned.bEnc.weight as Tensor1D,
        layout: 'out-in',
        rounded: this.rounded,
        packed: owned.packed,
      })
      const found = values.dataSync() as Float32Array
      const least = nthLargestPositive(found, count)
      if (this.reach < shape.latents && fullRow(found, this.reach, least)) {
        tf.dispose([values, indices])
        this.reach = Math.min(shape.latents, Math.ceil(1.5 * this.reach))
        continue
      }
      const kept = keepFrom(found, least, count)
      values.dispose()
      return { chosen: { values: tf.tensor2d(kept.values, values.shape), indices }, least: kept.smallest }
    }
  }

  override async snapshot(): Promise<StepSnapshot> {
    const tensors: StepSnapshot['tensors'] = {}
    for (const name of names)
      for (const [part, tensor] of Object.entries(this.owned[name])) {
        if (part === 'second' && this.settings.optimiser === 'signum') continue
        const usual = this.usual(name, tensor)
        tensors[`${part}.${name}`] = { shape: usual.shape, data: (await usual.data()) as Float32Array }
        usual.dispose()
      }
    return { step: this.step, state: this.state, silent: this.silent.slice(), fired: this.fired.slice(), tensors }
  }

  override restore(snapshot: StepSnapshot): void {
    this.disposeOwned()
    for (const name of names) this.slots.set(name, {} as never)
    super.restore(snapshot)
    this.owned = this.takeOver()
  }

  private disposeOwned(): void {
    tf.dispose(names.flatMap(name => Object.values(this.owned[name])))
    this.owned.packed?.dispose()
  }

  override dispose(): void {
    super.dispose()
    this.disposeOwned()
  }
}

/** Whether some row's values are all positive and at or above `least`: it might have kept more than it was looked at for. */
function fullRow(values: Float32Array, reach: number, least: number): boolean {
  for (let start = 0; start < values.length; start += reach) {
    let smallest = Number.POSITIVE_INFINITY
    for (let i = start; i < start + reach; i++) if (values[i]! < smallest) smallest = values[i]!
    if (smallest > 0 && smallest >= least) return true
  }
  return false
}

/** The values without those that are not among the `count` largest, and the smallest that stays. */
function keepFrom(values: Float32Array, least: number, count: number): { values: Float32Array; smallest: number } {
  let atLeast = 0
  for (const value of values) if (value > 0 && value >= least) atLeast++
  const mask = least > 0 && atLeast > count ? firstLargest(values, least, count) : undefined
  const kept = new Float32Array(values.length)
  let smallest = Number.POSITIVE_INFINITY
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (value <= 0 || value < least || (mask && mask[i] === 0)) continue
    kept[i] = value
    if (value < smallest) smallest = value
  }
  return { values: kept, smallest }
}
