/**
 * The fused step of ReLU latents under a penalty (`standard`, `p-anneal`). With c = f n / unit,
 *
 *   ∂loss/∂π = g · W_dec,i + ∂penalty/∂c · n_i / unit      ∂loss/∂n_i = Σ ∂penalty/∂c · f / unit      where π > 0
 */

import { hostValues } from '../../../engine/host.ts'
import { rowsOf } from '../../../engine/ops/sae/entries.ts'
import { type Scalar, type Tensor1D, tf } from '../../../engine/tf.ts'
import { type Config, pAt } from '../../architectures/p-anneal.ts'
import { smallestBase } from '../../architectures/standard.ts'
import { unitOf } from '../../layers/linear.ts'
import { alongDecoder, type EntriesConfig, type EntriesLoss, type EntriesStep, EntriesStepper } from './entries.ts'

interface L1Config extends EntriesConfig {
  l1Coefficient: number
  weightByDecoderNorm: boolean
}

/** A penalty and its slope in each entry's counted latent. */
interface Penalty {
  readonly slope: Tensor1D
  value(): Scalar
}

abstract class PenaltyStepper extends EntriesStepper {
  protected bounds(): Tensor1D {
    return tf.zeros([this.shape.latents])
  }

  /** The penalty of what latents count for. Runs within a tidy. */
  protected abstract penalty(counted: Tensor1D, step: EntriesStep): Penalty

  /** In what unit latents are counted. */
  protected abstract unit(): number

  protected differentiate(step: EntriesStep): EntriesLoss {
    const { norms } = step
    const { weightByDecoderNorm } = this.own as unknown as L1Config
    const latents = step.entries.values
    const perLatent = weightByDecoderNorm ? step.at(norms).div<Tensor1D>(this.unit()) : tf.scalar(1 / this.unit())
    const { slope, value } = this.penalty(latents.mul(perLatent), step)
    const { g, dz, errors } = step.decode(latents)
    return {
      latents,
      errors,
      gradient: {
        dz: dz.add(slope.mul(perLatent)),
        decoded: [{ values: latents, g }],
        decoderScale: weightByDecoderNorm
          ? alongDecoder(step.byLatent(slope.mul(latents).div(this.unit())), norms)
          : undefined,
      },
      terms: () => ({ sparsity: value() }),
    }
  }

  /** ∂/∂c of max(c, base)^p. */
  protected slopes(counted: Tensor1D, p: number): Tensor1D {
    const open = tf.greaterEqual(counted, smallestBase).cast('float32')
    return tf
      .maximum(counted, smallestBase)
      .pow(p - 1)
      .mul(p)
      .mul(open)
  }
}

export class StandardStepper extends PenaltyStepper {
  // The power's smallest base is meant in the data's own unit, so the unit is divided out behind it.
  protected unit(): number {
    return 1
  }

  protected penalty(counted: Tensor1D, { entries, rows, context }: EntriesStep): Penalty {
    const { l1Coefficient, lpNorm: p, reconstruction } = this.own as unknown as L1Config & { lpNorm: number }
    const weight = (l1Coefficient * context.sparsity) / unitOf({ reconstruction }, this.variance) / rows
    if (p === 1) return { slope: tf.onesLike(counted).mul(weight), value: () => counted.sum<Scalar>().mul(weight) }
    const rowOf = rowsOf(entries)
    const kept = tf
      .maximum(counted, smallestBase)
      .pow(p)
      .sub(smallestBase ** p) as Tensor1D
    const sums = tf.unsortedSegmentSum(kept, rowOf, rows).add<Tensor1D>(this.shape.latents * smallestBase ** p)
    const outer = sums
      .pow(1 / p - 1)
      .mul<Tensor1D>(weight / p)
      .gather<Tensor1D>(rowOf)
    return {
      slope: this.slopes(counted, p).mul(outer),
      value: () =>
        sums
          .pow(1 / p)
          .sum<Scalar>()
          .mul(weight),
    }
  }
}

export class PAnnealStepper extends PenaltyStepper {
  private get annealed(): Config {
    return this.own as unknown as Config
  }

  protected unit(): number {
    return unitOf(this.annealed, this.variance)
  }

  protected penalty(counted: Tensor1D, { rows, context }: EntriesStep): Penalty {
    const p = this.state.p!
    const weight = (this.annealed.l1Coefficient * context.sparsity * this.state.sparsityScale!) / rows
    return {
      slope: (p === 1 ? tf.onesLike(counted) : this.slopes(counted, p)).mul(weight),
      value: () => this.sum(counted, p, rows).mul(weight),
    }
  }

  /** Σ c^p over all latents; below p = 1 the silent ones count as the smallest base. */
  private sum(counted: Tensor1D, p: number, rows: number): Scalar {
    if (p === 1) return counted.sum<Scalar>()
    const silent = (rows * this.shape.latents - counted.size) * smallestBase ** p
    return tf.maximum(counted, smallestBase).pow(p).sum<Scalar>().add(silent)
  }

  protected override observe({ rows, context }: EntriesStep, latents: Tensor1D) {
    const { p, sparsityScale } = this.state
    const next = pAt(this.annealed, context.step + 1, context.total)
    if (next === p) return this.state
    const counted = latents.div<Tensor1D>(this.unit())
    const [before, after] = hostValues(() => tf.stack([this.sum(counted, p!, rows), this.sum(counted, next, rows)]))
    return { p: next, sparsityScale: sparsityScale! * (after! > 0 ? before! / after! : 1) }
  }
}
