/** An SAE that learns: weights that fit the data, the steps, and the SAE as it would be saved now. Rows come from outside. */
import { type Tensor2D, tf } from '../../engine/tf.ts'
import type { Saved } from '../architecture.ts'
import { choosesK } from '../inference.ts'
import { foldDecoderNorms, unscale } from '../saved.ts'
import { fusedStepper } from '../step/fused/index.ts'
import { Stepper, type StepReport } from '../step/step.ts'
import type { ResolvedTraining } from './config.ts'
import { checkForm, checkReport } from './diverged.ts'
import type { TrainingPlan } from './plan.ts'
import { type Scales, split, startFrom } from './prepare.ts'

/** A training before it has seen a row. */
export interface Planned {
  readonly resolved: ResolvedTraining
  readonly plan: TrainingPlan
}

/** `dispose` frees its tensors. */
export class Learner {
  readonly resolved: ResolvedTraining
  readonly plan: TrainingPlan
  readonly stepper: Stepper
  /** What rows are multiplied by before they are learned from. */
  readonly scales: Scales

  /** Fresh weights that fit a sample of rows. */
  constructor({ resolved, plan }: Planned, sample: Float32Array) {
    this.resolved = resolved
    this.plan = plan
    const { params, scales, variance } = startFrom(sample, plan, resolved)
    this.scales = scales
    const { architecture, own, training } = resolved
    const { settings, shape, steps } = plan
    const Kind = (training.fused && fusedStepper(architecture, own, settings)) || Stepper
    this.stepper = new Kind({ architecture, own, settings, shape, params, total: steps, variance })
  }

  /** Name of its architecture. */
  get name(): string {
    return this.resolved.architecture.name
  }

  /** What decides its bytes, besides the rows. */
  get identity() {
    const { own, training } = this.resolved
    return { architecture: this.name, settings: own, training, plan: this.plan.identity }
  }

  /**
   * One step on rows [rows, columns], which stay the caller's. A report where it was asked to measure, which throws a
   * `DivergedError` where the training has gone astray.
   */
  take(rows: Tensor2D, options: { measure?: boolean; count?: boolean }): StepReport | undefined {
    const { input, target } = split(rows, this.plan, this.scales)
    let report: StepReport | undefined
    try {
      report = this.stepper.take({ input, target }, options)
    } finally {
      tf.dispose([input, target])
    }
    if (report) checkReport(report, { resolved: this.resolved, plan: this.plan, form: () => this.form() })
    return report
  }

  /** The SAE as it would be saved now; a `DivergedError` where a weight is not finite. */
  saved(): Saved {
    const saved = this.form()
    checkForm(saved, { resolved: this.resolved, plan: this.plan })
    return saved
  }

  /** For rows as captured, decoder norms folded where asked for and possible. */
  private form(): Saved {
    const { architecture, own, training } = this.resolved
    const weights = this.stepper.weights()
    const saved = unscale(architecture.save(weights, own, this.stepper.state), this.scales)
    tf.dispose(weights)
    return training.foldDecoderNorm && mayFold(saved) ? foldDecoderNorms(saved) : saved
  }

  dispose(): void {
    this.stepper.dispose()
  }
}

/** Whether a saved SAE keeps its latents when decoder norms go into its encoder; one that ranks them by value does not. */
function mayFold({ architecture }: Saved): boolean {
  return !choosesK(architecture) && architecture !== 'matching_pursuit'
}
