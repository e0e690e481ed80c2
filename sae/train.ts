/**
 * The `train` stage: activations in, an SAE in SAELens's layout out.
 *
 * It writes `cfg.json`, `sae_weights.safetensors` and `sparsity.safetensors` into the run's directory, a line of metrics
 * every `logEvery` steps, and checkpoints while it works. Cut anywhere and called again, it ends in the same bytes: order
 * and weights depend on the seed alone, and a checkpoint holds all that a step changes.
 */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { InterruptedError } from '../core/errors.ts'
import { hashValue } from '../core/hash.ts'
import type { StageContext } from '../core/stage.ts'
import { tf } from '../engine/tf.ts'
import type { Saved } from './architecture.ts'
import { newestCheckpoint, writeCheckpoint } from './checkpoint.ts'
import { type ResolvedTraining, resolveTraining, type TrainConfig } from './config.ts'
import { type ActivationSource, RowStream } from './data.ts'
import { saveSae } from './formats/saelens.ts'
import { makeSae } from './make.ts'
import { makePlan, type Plan } from './plan.ts'
import { checkFinite, split, startFrom } from './prepare.ts'
import { describeCapture, type TrainingCapture } from './provenance.ts'
import { type Quality, QualityMeter } from './quality.ts'
import { foldDecoderNorms, unscale } from './saved.ts'
import { Stepper, type StepReport } from './step.ts'

/** Rows from which the decoder bias, the input scale and the variance of the data are taken. */
const sampleRows = 16_384
/** Rows on which the finished SAE is measured, at most. */
const measuredRows = 65_536

export interface TrainSummary extends Record<string, unknown> {
  readonly architecture: string
  readonly latents: number
  readonly steps: number
  readonly tokens: number
  /** Of the saved SAE: on the rows kept back for validation, else on rows it learned from. */
  readonly fvu: number
  readonly l0: number
  readonly explained_variance: number
  readonly measured_on: 'validation rows' | 'training rows'
  /** Latents that did not fire in the last window of training, and their share. */
  readonly dead: number
  readonly dead_share: number
}

/** Trains one SAE on a capture. Throws `InterruptedError` after a checkpoint when the stage is told to stop. */
export async function trainSae(
  context: StageContext,
  { capture, config }: { capture: TrainingCapture; config: TrainConfig },
): Promise<TrainSummary> {
  await removePartials(context.directory)
  const resolved = resolveTraining(config)
  const plan = makePlan(resolved, config, capture, context.seed)
  const { steps, batchTokens, training } = plan
  const stream = new RowStream(capture, plan.inputSites.concat(plan.targetSites), {
    rows: plan.rows,
    seed: plan.seed,
    bytes: training.memory * 2 ** 30,
  })
  const sample = await stream.read(0, Math.min(sampleRows, plan.rows))
  checkFinite(sample)
  const start = startFrom(sample, plan, resolved)
  const stepper = new Stepper({
    architecture: resolved.architecture,
    config: resolved.settings,
    settings: plan.settings,
    shape: plan.shape,
    params: start.params,
    total: steps,
    variance: start.variance,
  })
  try {
    const folder = join(context.directory, 'checkpoints')
    const key = hashValue({
      settings: resolved.settings,
      training,
      plan: plan.identity,
      capture: describeCapture(capture),
    })
    const resumed = await newestCheckpoint(folder, key, context.progress)
    if (resumed) stepper.restore(resumed.snapshot)
    context.metrics.truncate(resumed?.metricsLines ?? 0)
    const checkpoint = async () =>
      writeCheckpoint(
        folder,
        key,
        { snapshot: await stepper.snapshot(), metricsLines: context.metrics.lines },
        training.keepCheckpoints,
      )

    context.progress.start('train', steps * batchTokens, 'tokens')
    const countFrom = steps - plan.densitySteps
    let batch = stream.read(stepper.step * batchTokens, batchTokens)
    while (stepper.step < steps) {
      const rows = await batch
      const step = stepper.step
      batch = step + 1 < steps ? stream.read((step + 1) * batchTokens, batchTokens) : Promise.resolve(rows)
      batch.catch(() => {})
      checkFinite(rows)
      const last = step + 1 === steps
      const measured = last || step % training.logEvery === 0
      const report = takeStep(stepper, rows, plan, start.scale, { measure: measured, count: step >= countFrom })
      if (report) log(context, report, batchTokens, stepper)
      if (context.signal.aborted) {
        await checkpoint()
        throw new InterruptedError(`Training stopped after step ${stepper.step} of ${steps}.`, {
          fix: 'Start the same command again; it goes on from there.',
        })
      }
      if (!last && stepper.step % training.checkpointEvery === 0) await checkpoint()
    }

    const saved = finish(stepper, resolved, start.scale)
    const density = Float64Array.from(stepper.fired, count => count / (plan.densitySteps * batchTokens))
    await saveSae(context.directory, {
      ...saved,
      density,
      metadata: {
        ...describeCapture(capture),
        hook_name: plan.inputSites.join(','),
        ...(plan.targetSites.length > 0 ? { hook_name_out: plan.targetSites.join(',') } : {}),
        pipeline: {
          schema: 1,
          architecture: resolved.architecture.name,
          settings: resolved.settings,
          training: { ...training, ...plan.identity, inputScaleFactor: start.scale },
          steps,
          tokens: steps * batchTokens,
        },
      },
    })
    const quality = await measure(saved, capture, plan)
    tf.dispose(Object.values(saved.params))
    await rm(folder, { recursive: true, force: true })
    const dead = stepper.fired.filter(count => count === 0).length
    context.progress.finish(`FVU ${quality.fvu.toFixed(4)}, L0 ${quality.l0.toFixed(1)}, ${dead} dead latents`)
    return {
      architecture: resolved.architecture.name,
      latents: plan.shape.latents,
      steps,
      tokens: steps * batchTokens,
      fvu: quality.fvu,
      explained_variance: quality.explained_variance,
      l0: quality.l0,
      cosine_similarity: quality.cosine_similarity,
      measured_on: plan.validationRows > 0 ? 'validation rows' : 'training rows',
      dead,
      dead_share: dead / plan.shape.latents,
    }
  } finally {
    stepper.dispose()
  }
}

/** One step on served rows; the batch's tensors live no longer than the step. */
function takeStep(
  stepper: Stepper,
  rows: Float32Array,
  plan: Plan,
  scale: number,
  options: { measure: boolean; count: boolean },
): StepReport | undefined {
  const batch = split(rows, plan, scale)
  try {
    return stepper.take(batch, options)
  } finally {
    tf.dispose([batch.input, batch.target])
  }
}

/** A line of metrics, and the figures beside the bar. */
function log({ metrics, progress }: StageContext, report: StepReport, batchTokens: number, stepper: Stepper): void {
  const tokens = (report.step + 1) * batchTokens
  const { step, rate, loss, terms, fvu, l0, dead, gradientNorm } = report
  metrics.append({ step, tokens, loss, ...terms, fvu, l0, dead, gradientNorm, learningRate: rate, ...stepper.state })
  progress.update(tokens, `FVU ${fvu.toFixed(4)}  L0 ${l0.toFixed(1)}  dead ${dead}`)
}

/** The trained SAE as it is saved: for rows as captured, decoder norms folded where asked for and possible. */
function finish(stepper: Stepper, { architecture, settings, training }: ResolvedTraining, scale: number): Saved {
  const saved = unscale(architecture.save(stepper.params, settings, stepper.state), scale)
  const fold = training.foldDecoderNorm && !saved.architecture.startsWith('topk')
  return fold ? foldDecoderNorms(saved) : saved
}

/** Quality of the saved SAE on the rows kept back, or on the first of the capture. */
async function measure(saved: Saved, capture: ActivationSource, plan: Plan): Promise<Quality> {
  const sae = makeSae({ ...saved, metadata: { hook_name: '' } })
  const meter = new QualityMeter(sae)
  const start = plan.validationRows > 0 ? plan.rows : 0
  const end = plan.validationRows > 0 ? capture.rows : Math.min(capture.rows, measuredRows)
  const stream = new RowStream(capture, [...plan.inputSites, ...plan.targetSites], { rows: 1, seed: 0, bytes: 1 })
  for (let row = start; row < end; row += plan.batchTokens) {
    const rows = await stream.inOrder(row, Math.min(plan.batchTokens, end - row))
    const { input, target } = split(rows, plan, 1)
    meter.add(input, target)
    tf.dispose([input, target])
  }
  return meter.result()
}

/** Half-written files of a run that was cut. */
async function removePartials(directory: string): Promise<void> {
  const entries = await readdir(directory, { recursive: true }).catch(() => [] as string[])
  for (const entry of entries) if (entry.endsWith('.partial')) await rm(join(directory, entry), { force: true })
}
