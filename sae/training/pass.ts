/** One pass over the rows of a capture, from which one or several SAEs learn. */
import { InterruptedError, UserError } from '../../core/errors.ts'
import type { Progress } from '../../core/progress.ts'
import { breathe } from '../../core/stage.ts'
import type { StepReport } from '../step/step.ts'
import { Clock } from './clock.ts'
import { DivergedError } from './diverged.ts'
import { namingRows } from './finite.ts'
import { named, type TrainJob, type TrainOptions } from './job.ts'
import type { Planned } from './learner.ts'
import { rowsTensor } from './prepare.ts'
import type { TrainingCapture } from './provenance.ts'
import { RowStream } from './rows.ts'
import { Training, type TrainSummary } from './training.ts'

/** Rows from which the decoder bias, the scale and the variance of the data are taken. */
const sampleRows = 16_384

type Member = TrainJob & Planned

/** What decides which rows come in which order. */
export function streamOf({ plan, resolved }: Planned) {
  const { inputSites, targetSites, rows, orderSeed, batchTokens } = plan
  return {
    sites: [...inputSites, ...targetSites],
    rows,
    seed: orderSeed,
    batchTokens,
    bytes: resolved.training.memory * 2 ** 30,
  }
}

/**
 * Trains SAEs that read the same stream. One that was cut further on waits until the others have come so far. Where one
 * goes astray the others go on, and what it threw stands in its place.
 */
export async function trainTogether(
  jobs: readonly Member[],
  capture: TrainingCapture,
  options: TrainOptions,
): Promise<(TrainSummary | DivergedError)[]> {
  const pass = new Pass(jobs, capture)
  const [{ context }] = jobs as [Member, ...Member[]]
  try {
    return await namingRows(capture, streamOf(jobs[0]!).sites, context.signal, async () => {
      await pass.open(capture, options)
      await pass.learn()
      return pass.results
    })
  } finally {
    pass.dispose()
  }
}

class Pass {
  /** What became of each job. */
  readonly results: (TrainSummary | DivergedError)[] = []
  private readonly jobs: readonly Member[]
  private readonly stream: RowStream
  private readonly batchTokens: number
  private readonly clock: Clock
  /** Those that have steps to take. */
  private readonly trainings = new Map<Training, Member>()

  constructor(jobs: readonly Member[], capture: TrainingCapture) {
    const { sites, rows, seed, batchTokens, bytes } = streamOf(jobs[0]!)
    this.jobs = jobs
    this.stream = new RowStream(capture, sites, { rows, seed, bytes })
    this.batchTokens = batchTokens
    this.clock = new Clock(batchTokens)
  }

  private get progress(): Progress {
    return this.jobs[0]!.context.progress
  }

  /** Fresh weights, or those of the newest checkpoints. */
  async open(capture: TrainingCapture, options: TrainOptions): Promise<void> {
    const sample = await this.stream.read(0, Math.min(sampleRows, this.jobs[0]!.plan.rows))
    for (const job of this.jobs)
      this.trainings.set(await named(job, () => openTraining(job, capture, sample, options)), job)
  }

  async learn(): Promise<void> {
    const { jobs, stream, trainings, progress, batchTokens, clock } = this
    const end = Math.max(...jobs.map(({ plan }) => plan.steps))
    progress.start(jobs.length > 1 ? `train ${jobs.length} SAEs` : 'train', end * batchTokens, 'tokens')
    let step = Math.min(...[...trainings.keys()].map(training => training.step))
    await this.finishDone()
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
      const reports = await clock.learning(() => this.take(batch, step))
      if (reports.length > 0) tell(progress, (step + 1) * batchTokens, reports, clock)
      if (jobs.some(({ context }) => context.signal.aborted)) {
        for (const training of trainings.keys()) await training.checkpoint()
        throw new InterruptedError(`Training stopped after step ${step + 1} of ${end}.`, {
          fix: 'Start the same command again; it goes on from there.',
        })
      }
      await this.finishDone()
    }
    const [first] = this.results
    const figures = jobs.length === 1 && !(first instanceof DivergedError) ? [shortly(first!)] : []
    progress.finish([...figures, clock.text()].join(', '))
  }

  /** A step of every SAE that has come so far. */
  private async take(batch: Float32Array, step: number): Promise<StepReport[]> {
    const reports: StepReport[] = []
    const tensor = rowsTensor(batch, this.stream.columns)
    try {
      for (const [training, job] of this.trainings) {
        if (training.step !== step) continue
        const report = await this.orAstray(training, job, () => training.take(tensor))
        if (report) reports.push(report)
      }
    } finally {
      tensor.dispose()
    }
    return reports
  }

  /** Saves and measures those that have taken their last step. */
  private async finishDone(): Promise<void> {
    for (const [training, job] of this.trainings) {
      if (!training.done) continue
      job.context.timing?.(this.clock.facts())
      const summary = await this.orAstray(training, job, () => training.finish())
      if (!summary) continue
      if (this.jobs.length > 1) this.progress.note(`${job.label ?? 'SAE'}: ${shortly(summary)}`)
      this.results[this.jobs.indexOf(job)] = summary
      await job.finished?.(summary)
      this.close(training)
    }
  }

  /** What the work gives; undefined where its SAE went astray. */
  private async orAstray<T>(training: Training, job: Member, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await named(job, work)
    } catch (error) {
      if (!(error instanceof DivergedError)) throw error
      if (this.trainings.size > 1) this.progress.note(`${error.message} The others go on.`)
      this.results[this.jobs.indexOf(job)] = error
      this.close(training)
      return undefined
    }
  }

  private close(training: Training): void {
    this.trainings.delete(training)
    training.dispose()
  }

  dispose(): void {
    for (const training of this.trainings.keys()) training.dispose()
  }
}

/** A training with fresh weights or those of its newest checkpoint, and with its probe where the config asks for one. */
async function openTraining(job: Member, capture: TrainingCapture, sample: Float32Array, options: TrainOptions) {
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

function shortly({ fvu, l0, dead }: TrainSummary): string {
  return `FVU ${fvu?.toFixed(4) ?? 'none'}, L0 ${l0?.toFixed(1) ?? 'none'}, ${dead} dead latents`
}

/** The figures of one SAE, or the range of those of several. */
function tell(progress: Progress, tokens: number, reports: readonly StepReport[], clock: Clock): void {
  const range = (name: 'fvu' | 'l0' | 'dead', digits: number) => {
    const values = reports.map(report => report[name])
    const [low, high] = [Math.min(...values).toFixed(digits), Math.max(...values).toFixed(digits)]
    return low === high ? low : `${low}–${high}`
  }
  const figures = `FVU ${range('fvu', 4)}  L0 ${range('l0', 1)}  dead ${range('dead', 0)}`
  progress.update(tokens, `${figures}  waits ${clock.percent()}`)
}
