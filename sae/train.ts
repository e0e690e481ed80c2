/**
 * The `train` stage: activations in, SAEs in SAELens's layout out.
 *
 * It writes `cfg.json`, `sae_weights.safetensors` and `sparsity.safetensors` into each run's directory, a line of metrics
 * every `logEvery` steps, and checkpoints while it works. Cut anywhere and called again, it ends in the same bytes: order
 * and weights depend on seeds alone, and a checkpoint holds all that a step changes. Several SAEs that read the same rows
 * in the same order share one pass over them, and each ends in the bytes it would have alone.
 */
import { InterruptedError } from '../core/errors.ts'
import { canonicalJson } from '../core/hash.ts'
import { breathe, type StageContext } from '../core/stage.ts'
import type { TrainConfig } from './config.ts'
import { RowStream } from './data.ts'
import { checkFinite } from './prepare.ts'
import type { TrainingCapture } from './provenance.ts'
import { type Planned, planTraining, Training, type TrainSummary } from './training.ts'

export type { TrainSummary } from './training.ts'

/** Rows from which the decoder bias, the input scale and the variance of the data are taken. */
const sampleRows = 16_384

/** Trains one SAE on a capture. Throws `InterruptedError` after a checkpoint when the stage is told to stop. */
export async function trainSae(
  context: StageContext,
  { capture, config }: { capture: TrainingCapture; config: TrainConfig },
): Promise<TrainSummary> {
  const [summary] = await trainSaes([{ context, config }], capture)
  return summary!
}

/** An SAE to train, and the run it goes to. */
export interface TrainJob {
  readonly context: StageContext
  readonly config: TrainConfig
}

/** Trains several SAEs on a capture; those whose rows and order are the same share one pass. Summaries as the jobs. */
export async function trainSaes(jobs: readonly TrainJob[], capture: TrainingCapture): Promise<TrainSummary[]> {
  const planned = jobs.map(({ context, config }) => planTraining(context, capture, config))
  const groups = new Map<string, number[]>()
  for (const [i, { plan }] of planned.entries()) {
    const key = canonicalJson(streamOf(plan))
    groups.set(key, [...(groups.get(key) ?? []), i])
  }
  const summaries: TrainSummary[] = []
  for (const members of groups.values()) {
    const results = await trainTogether(
      members.map(i => ({ ...jobs[i]!, ...planned[i]! })),
      capture,
    )
    for (const [n, i] of members.entries()) summaries[i] = results[n]!
  }
  return summaries
}

/** What decides which rows come in which order. */
function streamOf({ inputSites, targetSites, rows, orderSeed, batchTokens, training }: Planned['plan']) {
  return {
    sites: [...inputSites, ...targetSites],
    rows,
    seed: orderSeed,
    batchTokens,
    bytes: training.memory * 2 ** 30,
  }
}

/** Trains SAEs that read the same stream. One that was cut further on waits until the others have come so far. */
async function trainTogether(jobs: (TrainJob & Planned)[], capture: TrainingCapture): Promise<TrainSummary[]> {
  const { sites, rows, seed, batchTokens, bytes } = streamOf(jobs[0]!.plan)
  const stream = new RowStream(capture, sites, { rows, seed, bytes })
  const sample = await stream.read(0, Math.min(sampleRows, rows))
  checkFinite(sample)
  const trainings: Training[] = []
  try {
    for (const job of jobs) trainings.push(await Training.open(job.context, capture, job, sample))
    for (const { context, plan } of trainings) context.progress.start('train', plan.steps * batchTokens, 'tokens')
    const end = Math.max(...jobs.map(({ plan }) => plan.steps))
    let step = Math.min(...trainings.map(training => training.step))
    let next = stream.read(step * batchTokens, batchTokens)
    for (; step < end; step++) {
      const batch = await next
      if (step + 1 < end) {
        // Read on while this batch is learned from.
        next = stream.read((step + 1) * batchTokens, batchTokens)
        next.catch(() => {})
      }
      checkFinite(batch)
      for (const training of trainings) if (training.step === step && !training.done) await training.take(batch)
      await breathe()
      if (jobs.some(({ context }) => context.signal.aborted)) {
        for (const training of trainings) await training.checkpoint()
        throw new InterruptedError(`Training stopped after step ${step + 1} of ${end}.`, {
          fix: 'Start the same command again; it goes on from there.',
        })
      }
    }
    const summaries: TrainSummary[] = []
    for (const training of trainings) summaries.push(await training.finish())
    return summaries
  } finally {
    for (const training of trainings) training.dispose()
  }
}
