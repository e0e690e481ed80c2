/** The fused TopK step: no [rows, latents] tensor is made, gradients are summed latent by latent. */

import { hostValues } from '../../../engine/host.ts'
import type { DeadLatents } from '../../../engine/ops/sae/dead.ts'
import type { ChosenLatents } from '../../../engine/ops/sae/encode.ts'
import { rowNorms, unitRowsInPlace } from '../../../engine/ops/sae/rows.ts'
import { type StepOptions, type StepResult, topKStep } from '../../../engine/ops/sae/step.ts'
import { type Tensor1D, type Tensor2D, tf } from '../../../engine/tf.ts'
import type { Batch } from '../../architecture.ts'
import type { AuxiliarySettings } from '../../layers/auxiliary.ts'
import { spread } from '../../layers/linear.ts'
import type { StepSettings } from '../step.ts'
import { OwnedStepper, type Taken } from './owned.ts'

/** Settings of the top-k family that a fused step reads. */
export type TopkConfig = AuxiliarySettings & {
  k: number
  reconstruction: string
  decoderBiasOnInput: boolean
  rescaleByDecoderNorm?: boolean
  auxPerLevel?: boolean
}

/** Whether the fused steps of the top-k family compute what these settings ask for. */
export function fitsTopk(config: Record<string, unknown>, _settings: StepSettings): boolean {
  const { reconstruction, auxCoefficient, auxToEncoder } = config as TopkConfig
  return ['sum', 'mean', 'normalised', 'fvu'].includes(reconstruction) && (auxCoefficient === 0 || auxToEncoder)
}

export class TopkStepper extends OwnedStepper {
  protected get topk(): TopkConfig {
    return this.own as TopkConfig
  }

  /** Chooses latents other than the k largest of each row; `undefined` leaves it to the step. */
  protected chooser(_k: number, _norms: Tensor1D | undefined): ((x: Tensor2D) => ChosenLatents) | undefined {
    return undefined
  }

  /** What latents are multiplied by for the choice; the caller disposes it. */
  protected norms(): Tensor1D | undefined {
    return this.topk.rescaleByDecoderNorm ? rowNorms(this.linear.wDec.weight as Tensor2D) : undefined
  }

  /** The levels of a nested dictionary: the name of each level's loss, its weight, and the first latent beyond it. */
  protected get levels(): readonly { name: string; weight: number; end: number }[] {
    return [{ name: 'reconstruction', weight: 1, end: this.shape.latents }]
  }

  /** Takes the step; variants with weights beside the four change these here. */
  protected moveBy(input: Tensor2D, target: Tensor2D, options: StepOptions, _rate: number): StepResult {
    return topKStep(this.linear, input, target, options)
  }

  protected change({ input, target }: Batch, rate: number, measure: boolean) {
    const { settings, topk, shape, levels } = this
    if (settings.decoderNorm === 'unit-before') unitRowsInPlace(this.linear.wDec.weight as Tensor2D)
    const context = this.context()
    context.dead?.dispose()
    const k = context.k ?? topk.k
    const perError = this.perError(topk.reconstruction, target)
    const norms = this.norms()
    const options: StepOptions = {
      k: Math.min(Math.floor(k), shape.latents),
      choose: this.chooser(k, norms),
      norms,
      scale: levels.map(({ weight }) => 2 * perError * weight),
      ends: levels.length > 1 ? levels.map(({ end }) => end) : undefined,
      rounded: this.rounded,
      gradientClip: settings.gradientClip,
      rule: this.ruleAt(rate, topk.decoderBiasOnInput),
      dead: this.auxiliary(target, context.deadCount),
      screened: this.onScreened(target.shape[0]),
    }
    const result = this.moveBy(input, target, options, rate)
    norms?.dispose()
    const counts = result.counts.dataSync() as Int32Array
    let taken: Taken | undefined
    if (measure) {
      const [gradientNorm, auxiliary, ...errors] = hostValues(() =>
        tf.concat([tf.stack([result.norm.asScalar(), result.auxiliaryLoss ?? tf.scalar(0)]), result.errors.sum(1)]),
      )
      const terms = Object.fromEntries(
        levels.map(({ name, weight }, level) => [name, errors[level]! * perError * weight]),
      )
      if (result.auxiliaryLoss) terms.auxiliary = auxiliary!
      taken = { terms, errors: errors.at(-1)!, gradientNorm: gradientNorm! }
    }
    tf.dispose(Object.values(result))
    return { counts, taken }
  }

  /** The auxiliary loss of this step; undefined where there is none. */
  private auxiliary(target: Tensor2D, deadCount: number): DeadLatents | undefined {
    const { auxK, auxCoefficient, auxNormalise, auxScaleByDead, auxRelu, auxDecoderBias, auxPerLevel } = this.topk
    const wanted = auxK ?? Math.floor(this.shape.outputs / 2)
    if (deadCount === 0 || auxCoefficient === 0 || wanted === 0) return undefined
    return {
      latents: this.firing.deadLatents(),
      k: wanted,
      signed: !auxRelu,
      bias: auxDecoderBias,
      perLevel: auxPerLevel,
      scale: (residual, count) => {
        const weight = auxCoefficient * (auxScaleByDead ? Math.min(count / wanted, 1) : 1)
        if (auxNormalise === 'none') return (2 * weight) / target.shape[0]
        return (2 * weight) / hostValues(() => spread(auxNormalise === 'residual' ? residual : target))[0]!
      },
    }
  }
}
