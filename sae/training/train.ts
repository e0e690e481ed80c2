/**
 * The `train` stage: activations in, SAEs in SAELens's layout out.
 *
 * It writes `cfg.json`, `sae_weights.safetensors` and `sparsity.safetensors` into each run's directory, a line of metrics
 * every `logEvery` steps, and checkpoints while it works. Cut anywhere and called again, it ends in the same bytes: order
 * and weights depend on seeds alone, and a checkpoint holds all that a step changes. Several SAEs that read the same rows
 * in the same order share one pass over them, and each ends in the bytes it would have alone.
 */
import { UserError } from '../../core/errors.ts'
import { canonicalJson } from '../../core/hash.ts'
import type { StageContext } from '../../core/stage.ts'
import type { TrainConfig } from './config.ts'
import { DivergedError } from './diverged.ts'
import { named, type TrainJob, type TrainOptions } from './job.ts'
import type { Planned } from './learner.ts'
import { streamOf, trainTogether } from './pass.ts'
import type { TrainingCapture } from './provenance.ts'
import { planTraining, type TrainSummary } from './training.ts'

/** Trains one SAE on a capture. Throws `InterruptedError` after a checkpoint when the stage is told to stop. */
export async function trainSae(
  context: StageContext,
  { capture, config, ...options }: { capture: TrainingCapture; config: TrainConfig } & TrainOptions,
): Promise<TrainSummary> {
  const [summary] = await trainSaes([{ context, config }], capture, options)
  return summary!
}

/**
 * Trains several SAEs on a capture; those whose rows and order are the same share one pass. Summaries as the jobs. Where some
 * go astray, the others are finished before a `UserError` names them.
 */
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
  const astray: DivergedError[] = []
  for (const members of groups.values()) {
    const results = await trainTogether(
      members.map(i => ({ ...jobs[i]!, ...planned[i]! })),
      capture,
      options,
    )
    for (const [n, i] of members.entries()) {
      const result = results[n]!
      if (result instanceof DivergedError) astray.push(result)
      else summaries[i] = result
    }
  }
  if (astray.length > 0) throw allAstray(astray, jobs.length)
  return summaries
}

/** One error for all SAEs that went astray; the others are whole. */
function allAstray(errors: readonly DivergedError[], of: number): UserError {
  const [first, ...others] = errors as [DivergedError, ...DivergedError[]]
  if (of === 1) return first
  const fixes = [...new Set(errors.flatMap(({ fix }) => fix ?? []))]
  return new UserError(
    `${errors.length} of ${of} SAEs went astray and are not kept. ${errors.map(({ message }) => message).join(' ')}`,
    { fix: fixes.join(' '), cause: others.length === 0 ? first : new AggregateError(errors) },
  )
}
