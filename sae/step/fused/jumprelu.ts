/**
 * The fused step of JumpReLU. Entries are the pre-activations above θ, and those less than half a bandwidth ε below it,
 * through which the threshold learns. With open = [π > θ] and near = [|π − θ| < ε/2]:
 *
 *   f = π · open      ∂loss/∂π = open · d      ∂loss/∂θ = −Σ near · (θ d + ∂loss/∂L0 / rows) / ε
 *   d = g · W_dec,i + ∂sparsity/∂f
 *
 * `jumpToInput` gives π what θ loses as well. The loss on dead latents' pre-activations has a derivative in almost all rows,
 * alike in all of them: it is taken for every row, and taken back for the entries at or above θ.
 */
import { type Scalar, type Tensor1D, type Tensor2D, tf } from '../../../engine/tf.ts'
import { unitOf } from '../../layers/linear.ts'
import {
  alongDecoder,
  type EntriesConfig,
  type EntriesLoss,
  type EntriesStep,
  EntriesStepper,
  fitsEntries,
} from './entries.ts'

interface JumpConfig extends EntriesConfig {
  thresholdForm: 'log' | 'direct'
  bandwidth: number
  jumpToInput: boolean
  sparsityLoss: 'step' | 'tanh' | 'target'
  l0Coefficient: number
  targetL0: number
  tanhScale: number
  preActCoefficient: number
  l0OfLatents: boolean
}

/** Whether the fused step computes what these settings ask for. */
export function fitsJump(config: Record<string, unknown>): boolean {
  const { jumpToInput, l0OfLatents } = config as unknown as JumpConfig
  return fitsEntries(config) && !(jumpToInput && l0OfLatents)
}

/** A sparsity loss: its slope in each latent and in each threshold, what it gives π, and what it adds along the decoder. */
interface Sparsity {
  readonly latents?: Tensor1D
  readonly thresholds?: Tensor1D
  readonly pre?: Tensor1D
  readonly decoder?: Tensor1D
  value(): Scalar
}

/** The entries of a step as JumpReLU sees them. */
interface Jump extends EntriesStep {
  /** θ of each latent, and of each entry. */
  readonly threshold: Tensor1D
  readonly theta: Tensor1D
  /** ε. */
  readonly bandwidth: number
  /** 1 where an entry is above its threshold, 1 where it is near it; else 0. */
  readonly open: Tensor1D
  readonly near: Tensor1D
  readonly latents: Tensor1D
}

export class JumpStepper extends EntriesStepper {
  private get jump(): JumpConfig {
    return this.own as unknown as JumpConfig
  }

  private get unit(): number {
    return unitOf(this.jump, this.variance)
  }

  private threshold(): Tensor1D {
    const learned = this.owned.threshold!.weight as Tensor1D
    return this.jump.thresholdForm === 'log' ? learned.exp() : learned.clone()
  }

  /** A little below half a bandwidth under the threshold, so that rounding loses no entry. */
  protected bounds(): Tensor1D {
    const threshold = this.threshold()
    return threshold.sub(threshold.abs().mul(1e-6)).sub(this.jump.bandwidth * this.unit * 0.500001)
  }

  protected differentiate(step: EntriesStep): EntriesLoss {
    const { thresholdForm, jumpToInput, preActCoefficient } = this.jump
    const threshold = this.threshold()
    const theta = step.at(threshold)
    const bandwidth = this.jump.bandwidth * this.unit
    const pre = step.entries.values
    const open = tf.greater(pre, theta).cast<Tensor1D>('float32')
    const near = nearness(pre, theta, bandwidth)
    const jump: Jump = { ...step, threshold, theta, bandwidth, open, near, latents: pre.mul(open) }
    const { g, dz, errors } = step.decode(jump.latents)
    const sparsity = this.jump.sparsityLoss === 'tanh' ? this.smooth(jump) : this.count(jump)
    const dead = preActCoefficient > 0 && step.context.dead ? this.pull(jump, step.context.dead) : undefined

    const slope = sparsity.latents ? dz.add<Tensor1D>(sparsity.latents) : dz
    const jumped = slope.mul(near).mul(theta).div<Tensor1D>(bandwidth)
    const all = <T extends Tensor1D>(...parts: (T | undefined)[]) =>
      tf.addN(parts.filter((part): part is T => part !== undefined)) as T
    const dThreshold = all(step.byLatent(jumped).neg(), sparsity.thresholds, dead?.thresholds)
    const perNorm = [sparsity.decoder, dead?.decoder].filter(part => part !== undefined)
    return {
      latents: jump.latents,
      errors,
      gradient: {
        dz: all(slope.mul(open), jumpToInput ? jumped : undefined, sparsity.pre, dead?.pre),
        decoded: [{ values: jump.latents, g }],
        allRows: dead?.allRows,
        decoderScale: perNorm.length > 0 ? alongDecoder(all(...perNorm), step.norms) : undefined,
      },
      others: { threshold: thresholdForm === 'log' ? dThreshold.mul(threshold) : dThreshold },
      terms: () => ({ sparsity: sparsity.value(), ...(dead ? { preActivation: dead.value() } : {}) }),
    }
  }

  /** λ · mean Σ tanh(c f n). */
  private smooth({ latents, norms, rows, context, at, byLatent }: Jump): Sparsity {
    const scale = this.jump.tanhScale / this.unit
    const weight = (this.jump.l0Coefficient * context.sparsity) / rows
    const norm = at(norms)
    const counted = latents.mul(norm).mul<Tensor1D>(scale).tanh()
    const slope = tf
      .scalar(1)
      .sub(counted.square())
      .mul<Tensor1D>(weight * scale)
    return {
      latents: slope.mul(norm),
      decoder: byLatent(slope.mul(latents)),
      value: () => counted.sum<Scalar>().mul(weight),
    }
  }

  /** λ · L0, or λ · (L0 / target − 1)²; the steps of L0 are in π, or in f by `l0OfLatents`. */
  private count(jump: Jump): Sparsity {
    const { sparsityLoss, l0Coefficient, targetL0, jumpToInput, l0OfLatents } = this.jump
    const { open, near, threshold, bandwidth, rows, byLatent } = jump
    const weight = l0Coefficient * jump.context.sparsity
    const closed = l0OfLatents ? tf.scalar(rows).sub<Tensor1D>(byLatent(open)) : undefined
    // A closed latent is 0, so where L0 is counted on latents a threshold below 0 counts it, and one near 0 learns from it.
    const total = closed ? open.sum().add(closed.mul(tf.less(threshold, 0).cast('float32')).sum()) : open.sum()
    const l0 = total.div<Scalar>(rows)
    const perL0 =
      sparsityLoss === 'step'
        ? tf.scalar(weight)
        : l0
            .div(targetL0)
            .sub(1)
            .mul<Scalar>((2 * weight) / targetL0)
    const perStep = perL0.div<Scalar>(rows * bandwidth)
    const steps = closed
      ? byLatent(near.mul(open)).add(closed.mul(nearness(tf.zerosLike(threshold), threshold, bandwidth)))
      : byLatent(near)
    return {
      thresholds: steps.mul<Tensor1D>(perStep).neg(),
      ...(jumpToInput ? { pre: near.mul<Tensor1D>(perStep) } : {}),
      value: () => (sparsityLoss === 'step' ? l0.mul(weight) : l0.div(targetL0).sub<Scalar>(1).square().mul(weight)),
    }
  }

  /** The loss that pulls dead latents over their thresholds: mean Σ relu(θ − π) n over dead latents. */
  private pull({ entries, x, rows, theta, threshold, norms, at, byLatent }: Jump, dead: Tensor1D) {
    const weight = this.jump.preActCoefficient / this.unit / rows
    const slope = dead.mul(norms).mul<Tensor1D>(-weight)
    const isOver = tf.greaterEqual(entries.values, theta).cast<Tensor1D>('float32')
    const over = byLatent(isOver)
    const under = tf.scalar(rows).sub<Tensor1D>(over)
    const { wEnc, bEnc } = this.linear
    const sums = tf
      .matMul(wEnc.weight as Tensor2D, x.sum(0).expandDims<Tensor2D>(1))
      .reshape<Tensor1D>([-1])
      .add<Tensor1D>(bEnc.weight.mul(rows))
    // Σ (θ − π) over all rows, less the entries where it is not positive.
    const missing = threshold
      .mul(rows)
      .sub(sums)
      .add<Tensor1D>(byLatent(entries.values.sub(theta).mul(isOver)))
    return {
      allRows: slope,
      pre: at(slope).mul<Tensor1D>(isOver).neg<Tensor1D>(),
      thresholds: slope.mul<Tensor1D>(under).neg<Tensor1D>(),
      decoder: missing.mul(dead).mul<Tensor1D>(weight),
      value: () => missing.mul(dead).mul(norms).sum<Scalar>().mul<Scalar>(weight),
    }
  }
}

/** 1 where a value lies less than half a bandwidth from its threshold, else 0. */
function nearness(values: Tensor1D, thresholds: Tensor1D, bandwidth: number): Tensor1D {
  return tf.less(values.sub(thresholds).div(bandwidth).abs(), 0.5).cast('float32')
}
