/** One SAE that learns a world, by the steps that `train` takes. Rows come from outside. */

import type { Tensor2D } from '../../engine/tf.ts'
import { tf } from '../../engine/tf.ts'
import type { Saved } from '../architecture.ts'
import { foldDecoderNorms, unscale } from '../saved.ts'
import { fusedStepper } from '../step/fused/index.ts'
import { Stepper, type StepReport } from '../step/step.ts'
import { type ResolvedTraining, resolveTraining, type TrainConfig } from '../training/config.ts'
import { makePlan, type TrainingPlan } from '../training/plan.ts'
import { startFrom } from '../training/prepare.ts'

export class Trainee {
  readonly name: string
  readonly resolved: ResolvedTraining
  readonly plan: TrainingPlan
  readonly stepper: Stepper
  private readonly scale: number

  /** Fresh weights that fit a sample of rows; `samples` is the length of the whole training. */
  constructor(config: TrainConfig, samples: number, width: number, seed: number, sample: Float32Array) {
    this.resolved = resolveTraining(config)
    const { architecture, own, training } = this.resolved
    this.name = architecture.name
    const nowhere = { rows: samples, sites: [{ name: 'truth', width }], readRange: () => Promise.reject() }
    this.plan = makePlan(this.resolved, config, nowhere, seed)
    const { params, scale, variance } = startFrom(sample, this.plan, this.resolved)
    this.scale = scale
    const Kind = (training.fused && fusedStepper(architecture, own, this.plan.settings)) || Stepper
    const { settings: stepSettings, shape, steps } = this.plan
    this.stepper = new Kind({
      ...{ architecture, own, settings: stepSettings, shape, params, total: steps, variance },
    })
  }

  /** What decides its bytes, besides the rows. */
  get identity(): Record<string, unknown> {
    const { architecture, own, training } = this.resolved
    return { architecture: architecture.name, settings: own, training, plan: this.plan.identity }
  }

  /** One step on rows [batch, width], which stay the caller's. */
  take(rows: Tensor2D, options: { measure?: boolean; count?: boolean }): StepReport | undefined {
    const input = this.scale === 1 ? rows : rows.mul<Tensor2D>(this.scale)
    const report = this.stepper.take({ input, target: input }, options)
    if (input !== rows) input.dispose()
    return report
  }

  /** The SAE as it would be saved now, its tensors the caller's. */
  saved(): Saved {
    const { architecture, own, training } = this.resolved
    const weights = this.stepper.weights()
    const saved = unscale(architecture.save(weights, own, this.stepper.state), this.scale)
    tf.dispose(weights)
    const fold = training.foldDecoderNorm && !saved.architecture.startsWith('topk')
    return fold ? foldDecoderNorms(saved) : saved
  }

  dispose(): void {
    this.stepper.dispose()
  }
}
