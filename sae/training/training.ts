/** One SAE in training: its plan, its weights and optimiser, its checkpoints and files. Rows come from outside. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { removePartials } from '../../core/files.ts'
import { hashValue } from '../../core/hash.ts'
import type { StageContext } from '../../core/stage.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import type { Saved } from '../architecture.ts'
import { saveSae } from '../formats/saelens.ts'
import { makeSae } from '../make.ts'
import { type Quality, QualityMeter } from '../measure/quality.ts'
import type { Sae } from '../sae.ts'
import type { Stepper, StepReport } from '../step/step.ts'
import { newestCheckpoint, writeCheckpoint } from './checkpoint.ts'
import { type ResolvedTraining, resolveTraining, type TrainConfig } from './config.ts'
import { warningOf } from './diverged.ts'
import { Learner, type Planned } from './learner.ts'
import { makePlan, type TrainingPlan } from './plan.ts'
import { rowsTensor, split, unscaled } from './prepare.ts'
import { describeCapture, type TrainingCapture } from './provenance.ts'
import { type ActivationSource, RowStream } from './rows.ts'
import { Watch } from './watch.ts'

/** Measures how well a model does with an SAE in the place of its site; figures by name, null where undefined. */
export interface FidelityProbe {
  measure(sae: Sae): Promise<Readonly<Record<string, number | null>>>
}

/** Rows on which the finished SAE is measured, at most. */
const measuredRows = 65_536

export interface TrainSummary extends Record<string, unknown> {
  readonly architecture: string
  readonly latents: number
  readonly steps: number
  readonly tokens: number
  /** Of the saved SAE: on the rows kept back for validation, else on rows it learned from. */
  readonly fvu: number | null
  readonly l0: number | null
  readonly explainedVariance: number | null
  readonly cosine: number | null
  readonly measuredOn: 'validation rows' | 'training rows'
  /** Latents that did not fire in the last window of training, and their share. */
  readonly dead: number
  readonly deadShare: number
  /** Where the SAE is no better than the mean of the rows, or its L0 is far from its k. */
  readonly warning?: string
}

export class Training {
  readonly context: StageContext
  readonly plan: TrainingPlan
  private readonly capture: TrainingCapture
  private readonly resolved: ResolvedTraining
  private readonly folder: string
  private readonly key: string
  private readonly learner: Learner
  private readonly watch: Watch
  private readonly fidelity: Fidelity | undefined
  /** What the newest look at the model's loss gave. */
  private measured: Readonly<Record<string, number | null>> = {}

  private constructor(
    context: StageContext,
    capture: TrainingCapture,
    resolved: ResolvedTraining,
    plan: TrainingPlan,
    sample: Float32Array,
    fidelity: Fidelity | undefined,
  ) {
    this.context = context
    this.fidelity = fidelity
    this.capture = capture
    this.resolved = resolved
    this.plan = plan
    this.folder = join(context.directory, 'checkpoints')
    this.key = hashValue({
      settings: resolved.own,
      training: resolved.training,
      plan: plan.identity,
      capture: describeCapture(capture),
    })
    this.learner = new Learner({ resolved, plan }, sample)
    this.watch = new Watch(this.stepper)
  }

  /** Fresh weights for these rows, or those of the newest checkpoint in the context's directory. */
  static async open(
    context: StageContext,
    capture: TrainingCapture,
    { resolved, plan }: Planned,
    sample: Float32Array,
    fidelity?: Fidelity,
  ) {
    await removePartials(context.directory)
    const training = new Training(context, capture, resolved, plan, sample, fidelity)
    const found = await newestCheckpoint(training.folder, training.key, context.progress)
    if (found) {
      training.stepper.restore(found.snapshot)
      training.watch.restore(found.snapshot.tensors)
    }
    context.metrics.truncate(found?.metricsLines ?? 0)
    return training
  }

  private get stepper(): Stepper {
    return this.learner.stepper
  }

  /** Steps taken so far. */
  get step(): number {
    return this.stepper.step
  }

  get done(): boolean {
    return this.step >= this.plan.steps
  }

  /** One step on the stream's next rows [rows, columns], which stay the caller's. A report where a line was written. */
  async take(rows: Tensor2D): Promise<StepReport | undefined> {
    const { step, plan, learner, stepper, resolved, fidelity } = this
    const last = step + 1 === plan.steps
    const probes = fidelity !== undefined && (last || (step + 1) % fidelity.every === 0)
    const writes = last || probes || step % resolved.training.logEvery === 0
    const keeps = !last && (step + 1) % resolved.training.checkpointEvery === 0
    // Weights that go into a checkpoint are looked at, whether or not a line is due.
    const report = learner.take(rows, {
      measure: writes || keeps,
      count: step >= plan.steps - plan.densitySteps,
    })
    if (report && writes) {
      if (probes) this.measured = await this.probe(fidelity.probe)
      const { rate, loss, terms, fvu, l0, dead, gradientNorm, inQuestion } = report
      const tokens = (step + 1) * plan.batchTokens
      const figures = { loss, ...terms, fvu, l0, dead, gradientNorm, learningRate: rate, ...stepper.state }
      this.context.metrics.append({
        step,
        tokens,
        ...figures,
        ...(inQuestion === undefined ? {} : { inQuestion }),
        ...this.watch.look(),
        ...(probes ? this.measured : {}),
      })
    }
    if (keeps) await this.checkpoint()
    return writes ? report : undefined
  }

  /** The model's loss with the SAE in place, as it would be saved now. */
  private async probe(probe: FidelityProbe) {
    const sae = makeSae({ ...this.learner.saved(), metadata: { hook_name: this.plan.inputSites.join(',') } })
    try {
      return await probe.measure(sae)
    } finally {
      sae.dispose()
    }
  }

  /** Writes a checkpoint of where it is now. */
  async checkpoint(): Promise<void> {
    const snapshot = this.stepper.stored()
    const checkpoint = {
      snapshot: { ...snapshot, tensors: { ...snapshot.tensors, ...this.watch.save() } },
      metricsLines: this.context.metrics.lines,
    }
    await writeCheckpoint(this.folder, this.key, checkpoint, this.resolved.training.keepCheckpoints)
  }

  /** Writes the SAE, measures it, and removes the checkpoints. */
  async finish(): Promise<TrainSummary> {
    const { plan, resolved, learner, stepper, capture, context } = this
    const tokens = plan.steps * plan.batchTokens
    // Cut between its last step and here, and resumed: the last look is not in a checkpoint.
    if (this.fidelity && Object.keys(this.measured).length === 0) this.measured = await this.probe(this.fidelity.probe)
    const saved = learner.saved()
    // Weights and moments give way to what saving and measuring take.
    learner.dispose()
    await saveSae(context.directory, {
      ...saved,
      density: Float64Array.from(stepper.firing.fired, count => count / (plan.densitySteps * plan.batchTokens)),
      metadata: {
        ...describeCapture(capture),
        hook_name: plan.inputSites.join(','),
        ...(plan.targetSites.length > 0 ? { hook_name_out: plan.targetSites.join(',') } : {}),
        pipeline: {
          schema: 1,
          architecture: resolved.architecture.name,
          settings: resolved.own,
          training: { ...resolved.training, ...plan.identity, ...scaleFactors(learner) },
          steps: plan.steps,
          tokens,
        },
      },
    })
    const quality = await measure(saved, capture, plan)
    await rm(this.folder, { recursive: true, force: true })
    const dead = stepper.firing.fired.filter(count => count === 0).length
    const warning = warningOf(quality, resolved.own)
    if (warning) context.progress.note(warning)
    return {
      architecture: resolved.architecture.name,
      latents: plan.shape.latents,
      steps: plan.steps,
      tokens,
      fvu: quality.fvu,
      explainedVariance: quality.explainedVariance,
      l0: quality.l0,
      cosine: quality.cosine,
      measuredOn: plan.validationRows > 0 ? 'validation rows' : 'training rows',
      dead,
      deadShare: dead / plan.shape.latents,
      ...(warning ? { warning } : {}),
      ...this.measured,
    }
  }

  dispose(): void {
    this.learner.dispose()
  }
}

/** A probe, and after how many steps it is asked each time; it is asked after the last step as well. */
export interface Fidelity {
  readonly every: number
  readonly probe: FidelityProbe
}

/** Settings and plan of a config for a capture; throws a `UserError` where they do not fit. */
export function planTraining(context: StageContext, capture: ActivationSource, config: TrainConfig): Planned {
  const resolved = resolveTraining(config)
  const plan = makePlan(resolved, config, capture, context.seed)
  const asked = resolved.training.batchTokens
  if (plan.batchTokens < asked)
    context.progress.note(
      `A step reads ${plan.batchTokens.toLocaleString('en')} rows, not ${asked.toLocaleString('en')} (batchTokens): no more are to be learned from, so that there is one step.`,
    )
  return { resolved, plan }
}

/** What rows were multiplied by in training, as it is recorded. */
function scaleFactors({ scales, plan }: Learner): Record<string, number> {
  return {
    inputScaleFactor: scales.input,
    ...(plan.targetSites.length > 0 ? { targetScaleFactor: scales.target } : {}),
  }
}

/** Quality of the saved SAE on the rows kept back, or on the first of the capture. Disposes its tensors. */
async function measure(saved: Saved, capture: ActivationSource, plan: TrainingPlan): Promise<Quality> {
  const sae = makeSae({ ...saved, metadata: { hook_name: '' } })
  const meter = new QualityMeter(sae)
  const start = plan.validationRows > 0 ? plan.rows : 0
  const end = plan.validationRows > 0 ? capture.rows : Math.min(capture.rows, measuredRows)
  const stream = new RowStream(capture, [...plan.inputSites, ...plan.targetSites], { rows: 1, seed: 0, bytes: 1 })
  for (let row = start; row < end; row += plan.batchTokens) {
    const rows = await stream.inOrder(row, Math.min(plan.batchTokens, end - row))
    const tensor = rowsTensor(rows, stream.columns)
    const { input, target } = split(tensor, plan, unscaled)
    meter.measure(sae, input, target)
    tf.dispose([tensor, input, target])
  }
  tf.dispose(Object.values(saved.params))
  return meter.figures()
}
