/**
 * The `train` stage: activations in, SAEs in SAELens's layout out.
 *
 * It writes `cfg.json`, `sae_weights.safetensors` and `sparsity.safetensors` into each run's directory, a line of metrics
 * every `logEvery` steps, and checkpoints while it works. Cut anywhere and called again, it ends in the same bytes: order
 * and weights depend on seeds alone, and a checkpoint holds all that a step changes. Several SAEs that read the same rows
 * in the same order share one pass over them, and each ends in the bytes it would have alone.
 */
import { FaultError, InterruptedError, UserError } from '../../core/errors.ts'
import { canonicalJson } from '../../core/hash.ts'
import type { Progress } from '../../core/progress.ts'
import { breathe, type StageContext } from '../../core/stage.ts'
import type { StepReport } from '../step/step.ts'
import { Clock } from './clock.ts'
import type { TrainConfig } from './config.ts'
import type { Planned } from './learner.ts'
import { rowsTensor } from './prepare.ts'
import type { TrainingCapture } from './provenance.ts'
import { RowStream } from './rows.ts'
import { type FidelityProbe, planTraining, Training, type TrainSummary } from './training.ts'

export type { FidelityProbe, TrainSummary } from './training.ts'

/** Rows from which the decoder bias, the input scale and the variance of the data are taken. */
const sampleRows = 16_384

/** Trains one SAE on a capture. Throws `InterruptedError` after a checkpoint when the stage is told to stop. */
export async function trainSae(
  context: StageContext,
  { capture, config, ...options }: { capture: TrainingCapture; config: TrainConfig } & TrainOptions,
): Promise<TrainSummary> {
  const [summary] = await trainSaes([{ context, config }], capture, options)
  return summary!
}

/** An SAE to train, and the run it goes to. */
export interface TrainJob {
  readonly context: StageContext
  readonly config: TrainConfig
  /** How errors and progress call it where there are several. */
  readonly label?: string
  /** Called as soon as its files are whole, when others may still be trained. */
  finished?(summary: TrainSummary): Promise<void>
}

export interface TrainOptions {
  /** Gives what measures an SAE at a site within its model; needed where a config asks for `fidelity`. */
  fidelity?(site: string): Promise<FidelityProbe>
}

/** Trains several SAEs on a capture; those whose rows and order are the same share one pass. Summaries as the jobs. */
export async function trainSaes(
  jobs: readonly TrainJob[],
  capture: TrainingCapture,
  options: TrainOptions = {},
): Promise<TrainSummary[]> {
  const planned: Planned[] = []
  for (const job of jobs) planned.push(await named(job, async () => planTraining(job.context, capture, job.config)))
  const groups = new Map<string, number[]>()
  for (const [i, one] of planned.entries()) {
    const key = canonicalJson(streamOf(one))
    groups.set(key, [...(groups.get(key) ?? []), i])
  }
  const summaries: TrainSummary[] = []
  for (const members of groups.values()) {
    const results = await trainTogether(
      members.map(i => ({ ...jobs[i]!, ...planned[i]! })),
      capture,
      options,
    )
    for (const [n, i] of members.entries()) summaries[i] = results[n]!
  }
  return summaries
}

/** What decides which rows come in which order. */
function streamOf({ plan, resolved }: Planned) {
  const { inputSites, targetSites, rows, orderSeed, batchTokens } = plan
  return {
    sites: [...inputSites, ...targetSites],
    rows,
    seed: orderSeed,
    batchTokens,
    bytes: resolved.training.memory * 2 ** 30,
  }
}

type Member = TrainJob & Planned

/** Trains SAEs that read the same stream. One that was cut further on waits until the others have come so far. */
async function trainTogether(
  jobs: readonly Member[],
  capture: TrainingCapture,
  options: TrainOptions,
): Promise<TrainSummary[]> {
  const { sites, rows, seed, batchTokens, bytes } = streamOf(jobs[0]!)
  const { progress } = jobs[0]!.context
  const stream = new RowStream(capture, sites, { rows, seed, bytes })
  const sample = await stream.read(0, Math.min(sampleRows, rows))
  const trainings = new Map<Training, Member>()
  const summaries: TrainSummary[] = []
  const clock = new Clock(batchTokens)
  const finishDone = async () => {
    for (const [training, job] of trainings) {
      if (!training.done) continue
      job.context.timing?.(clock.facts())
      const summary = await training.finish()
      const { fvu, l0, dead } = summary
      if (jobs.length > 1)
        progress.note(`${job.label ?? 'SAE'}: FVU ${fvu.toFixed(4)}, L0 ${l0.toFixed(1)}, ${dead} dead latents`)
      summaries[jobs.indexOf(job)] = summary
      await job.finished?.(summary)
      trainings.delete(training)
      training.dispose()
    }
  }
  try {
    for (const job of jobs) trainings.set(await named(job, () => open(job, capture, sample, options)), job)
    const end = Math.max(...jobs.map(({ plan }) => plan.steps))
    progress.start(jobs.length > 1 ? `train ${jobs.length} SAEs` : 'train', end * batchTokens, 'tokens')
    let step = Math.min(...[...trainings.keys()].map(training => training.step))
    await finishDone()
    // One batch is learned from while the next is gathered into the other array.
    const arrays = [0, 1].map(() => new Float32Array(batchTokens * stream.columns))
    const read = (step: number) => stream.read(step * batchTokens, batchTokens, arrays[step % 2])
    let next = trainings.size > 0 ? read(step) : undefined
    for (; trainings.size > 0 && next; step++) {
      const batch = await clock.waiting(async () => {
        const batch = await next!
        next = step + 1 < end ? read(step + 1) : undefined
        next?.catch(() => {})
        await breathe()
        return batch
      })
      const reports = await clock.learning(async () => {
        const reports: StepReport[] = []
        const tensor = rowsTensor(batch, stream.columns)
        try {
          for (const training of trainings.keys()) {
            const report = training.step === step ? await training.take(tensor) : undefined
            if (report) reports.push(report)
          }
        } finally {
          tensor.dispose()
        }
        return reports
      })
      if (reports.length > 0) tell(progress, (step + 1) * batchTokens, reports, clock)
      if (jobs.some(({ context }) => context.signal.aborted)) {
        for (const training of trainings.keys()) await training.checkpoint()
        throw new InterruptedError(`Training stopped after step ${step + 1} of ${end}.`, {
          fix: 'Start the same command again; it goes on from there.',
        })
      }
      await finishDone()
    }
    const [{ fvu, l0, dead }] = summaries as [TrainSummary]
    const figures = jobs.length > 1 ? [] : [`FVU ${fvu.toFixed(4)}, L0 ${l0.toFixed(1)}, ${dead} dead latents`]
    progress.finish([...figures, clock.text()].join(', '))
    return summaries
  } finally {
    for (const training of trainings.keys()) training.dispose()
  }
}

/** A training with fresh weights or those of its newest checkpoint, and with its probe where the config asks for one. */
async function open(job: Member, capture: TrainingCapture, sample: Float32Array, options: TrainOptions) {
  const { context, config, plan, resolved } = job
  if (!config.fidelity) return Training.open(context, capture, job, sample)
  if (resolved.architecture.reads !== 'site')
    throw new UserError(
      `fidelity puts an SAE in the place of the site it reads, and a ${resolved.architecture.name} has no such place.`,
      { fix: 'Leave fidelity out.' },
    )
  if (!options.fidelity) throw new Error('The config asks for fidelity, and no probe is given.')
  const probe = await options.fidelity(plan.inputSites[0]!)
  return Training.open(context, capture, job, sample, { every: config.fidelity.every, probe })
}

/** Does a job's work; a `UserError` names the job where it has a name. */
async function named<T>({ label }: TrainJob, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const users = error instanceof UserError && !(error instanceof InterruptedError || error instanceof FaultError)
    if (label === undefined || !users) throw error
    throw new UserError(`SAE ${label}: ${error.message}`, { ...(error.fix ? { fix: error.fix } : {}), cause: error })
  }
}

/** The figures of one SAE, or the range of those of several. */
function tell(progress: Progress, tokens: number, reports: readonly StepReport[], clock: Clock): void {
  const range = (values: number[], digits: number) => {
    const [low, high] = [Math.min(...values).toFixed(digits), Math.max(...values).toFixed(digits)]
    return low === high ? low : `${low}–${high}`
  }
  const fvu = range(
    reports.map(({ fvu }) => fvu),
    4,
  )
  const l0 = range(
    reports.map(({ l0 }) => l0),
    1,
  )
  const dead = range(
    reports.map(({ dead }) => dead),
    0,
  )
  progress.update(tokens, `FVU ${fvu}  L0 ${l0}  dead ${dead}  waits ${clock.percent()}`)
}
