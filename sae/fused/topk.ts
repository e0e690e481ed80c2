/** The fused TopK step: no [rows, latents] tensor is made, gradients are summed latent by latent. */
import type { ChosenLatents } from '../../engine/ops/sae/encode.ts'
import { topKStep } from '../../engine/ops/sae/step.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import type { Batch } from '../architecture.ts'
import type { AuxiliarySettings } from '../auxiliary.ts'
import { hostValues } from '../host.ts'
import { spread } from '../linear.ts'
import type { StepSettings } from '../step.ts'
import { OwnedStepper, type Taken } from './owned.ts'

/** Settings of the top-k family that a fused step reads. */
export type TopkConfig = AuxiliarySettings & {
  k: number
  reconstruction: string
  decoderBiasOnInput: boolean
  rescaleByDecoderNorm?: boolean
}

/** Whether the fused steps of the top-k family compute what these settings ask for. */
export function fitsTopk(config: Record<string, unknown>, settings: StepSettings): boolean {
  const { reconstruction, rescaleByDecoderNorm, auxCoefficient, auxRelu, auxDecoderBias, auxToEncoder } =
    config as TopkConfig
  return (
    settings.decoderNorm !== 'unit-before' &&
    ['sum', 'mean', 'normalised', 'fvu'].includes(reconstruction) &&
    !rescaleByDecoderNorm &&
    (auxCoefficient === 0 || (auxRelu && !auxDecoderBias && auxToEncoder))
  )
}

export class TopkStepper extends OwnedStepper {
  protected get topk(): TopkConfig {
    return this.config as TopkConfig
  }

  /** Chooses latents other than the k largest of each row; `undefined` leaves it to the step. */
  protected chooser(_k: number): ((x: Tensor2D) => ChosenLatents) | undefined {
    return undefined
  }

  protected change({ input, target }: Batch, rate: number, measure: boolean) {
    const { settings, topk, shape } = this
    const rows = input.shape[0]
    const moment = this.moment()
    moment.dead?.dispose()
    const k = moment.k ?? topk.k
    const perError = this.perError(topk.reconstruction, target)
    const wanted = topk.auxK ?? Math.floor(shape.outputs / 2)
    const auxiliary = moment.deadCount > 0 && topk.auxCoefficient > 0 && wanted > 0
    const weight = topk.auxCoefficient * (topk.auxScaleByDead ? Math.min(moment.deadCount / wanted, 1) : 1)
    const auxiliaryOf = (residual: Tensor2D) =>
      topk.auxNormalise === 'none'
        ? tf.scalar(weight / rows)
        : tf.scalar(weight).div(spread(topk.auxNormalise === 'residual' ? residual : target))
    let perAuxiliary = 0

    const result = topKStep(this.linear, input, target, {
      k: Math.min(Math.floor(k), shape.latents),
      choose: this.chooser(k),
      scale: 2 * perError,
      rounded: this.rounded,
      gradientClip: settings.gradientClip,
      rule: this.ruleAt(rate, topk.decoderBiasOnInput),
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

    const counts = result.counts.dataSync() as Int32Array
    let taken: Taken | undefined
    if (measure) {
      const [errors, auxiliaryErrors, gradientNorm] = hostValues(() =>
        tf.stack([result.errors.sum(), result.auxiliaryErrors?.sum() ?? tf.scalar(0), result.norm.asScalar()]),
      )
      const terms: Record<string, number> = { reconstruction: errors! * perError }
      if (auxiliary) terms.auxiliary = auxiliaryErrors! * perAuxiliary
      taken = { terms, errors: errors!, gradientNorm: gradientNorm! }
    }
    tf.dispose(Object.values(result))
    return { counts, taken }
  }
}
