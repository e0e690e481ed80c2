/** The fused skip transcoder: TopK latents explain what the linear path from input to output leaves over. */
import { type StepOptions, type StepResult, topKStep } from '../../../engine/ops/sae/step.ts'
import { type Tensor2D, tf } from '../../../engine/tf.ts'
import { type Slot, update } from '../optimiser.ts'
import { TopkStepper } from './topk.ts'

export class SkipTranscoderStepper extends TopkStepper {
  protected override moveBy(input: Tensor2D, target: Tensor2D, options: StepOptions, rate: number): StepResult {
    const { settings } = this
    const skip = this.owned.wSkip!
    let gradient: Tensor2D
    const rest = tf.tidy(() => target.sub<Tensor2D>(tf.matMul(input, skip.weight as Tensor2D, false, true)))
    const result = topKStep(this.linear, input, rest, {
      ...options,
      beside(g) {
        gradient = tf.keep(tf.matMul(g, input, true)) as Tensor2D
        return tf.tidy(() => gradient.square().sum()).dataSync()[0]!
      },
    })
    const clipped = gradient!.mul(result.clip)
    const slot: Slot = { ...skip, second: settings.optimiser === 'signum' ? undefined : skip.second }
    update(slot, clipped, rate, this.step + 1, settings)
    this.owned.wSkip = { ...slot, second: slot.second ?? skip.second }
    tf.dispose([rest, gradient!, clipped])
    return result
  }
}
