/**
 * The fused BatchTopK crosscoder: its sites lie side by side in a row, so it is one wide SAE whose latents are chosen by
 * their value times the sum of their decoder norms at each site.
 */
import { rowNorms } from '../../../engine/ops/sae/rows.ts'
import { type Tensor, type Tensor2D, tf } from '../../../engine/tf.ts'
import type { StepSettings } from '../step.ts'
import { BatchTopkStepper } from './batchtopk.ts'
import { fitsTopk } from './topk.ts'

/** Whether the fused step computes what these settings ask for. */
export function fitsCrosscoder(config: Record<string, unknown>, settings: StepSettings): boolean {
  return config.activation === 'batchtopk' && fitsTopk({ ...config, auxCoefficient: 0 }, settings)
}

export class CrosscoderStepper extends BatchTopkStepper {
  protected override get topk() {
    return { ...super.topk, auxCoefficient: 0 }
  }

  protected override get linear() {
    return this.linearWith('wSites')
  }

  protected override norms() {
    return rowNorms(this.linear.wDec.weight as Tensor2D, this.shape.sites)
  }

  protected override placed(name: string, tensor: Tensor): Tensor {
    if (name !== 'wSites') return super.placed(name, tensor)
    return tf.tidy(() => super.placed(name, tensor.reshape([this.shape.latents, this.shape.width])))
  }

  protected override usual(name: string, tensor: Tensor): Tensor {
    if (name !== 'wSites') return super.usual(name, tensor)
    return tf.tidy(() => super.usual(name, tensor).reshape(this.usualShape(name, tensor)))
  }

  protected override usualShape(name: string, tensor: Tensor): number[] {
    const { latents, sites, width } = this.shape
    return name === 'wSites' ? [latents, sites, width / sites] : super.usualShape(name, tensor)
  }
}
