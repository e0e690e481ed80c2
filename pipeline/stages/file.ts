/** A pipeline file: what all stages share, a section a stage, and how each stage's settings follow from them. */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { DatasetConfig } from '../../datasets/config.ts'
import { checkPrefix } from '../../runs/names.ts'
import { ProcessConfig, SharedConfig, SharingConfig, StoreConfig } from './common.ts'
import { stages } from './index.ts'
import { ScheduleConfig } from './schedule.ts'
import type { Stage } from './stage.ts'

/** What a section may set for its stage alone. */
const own = { seed: z.int().min(0).optional().describe("Seed of this stage (default: the file's)") }
const computing = {
  engine: ProcessConfig.engine.unwrap().optional().describe("Engine of this stage (default: the file's)"),
  precision: ProcessConfig.precision.unwrap().optional().describe('Precision of this stage'),
  threads: ProcessConfig.threads,
}

const sharing = {
  workers: SharingConfig.workers.unwrap().optional().describe('Processes that share this stage'),
}

/** A stage's schema as a section: what it works on follows from the file, so that it need not be given. */
function section({ config, inputs, judged, divisible, needsEngine }: Stage) {
  const named = { ...inputs, ...Object.fromEntries(Object.entries(config.shape).filter(([key]) => key in inputs)) }
  const optional = Object.fromEntries(
    Object.entries(named).map(([key, schema]) => [key, (schema as z.ZodType).optional()]),
  )
  const computed = needsEngine === false ? {} : computing
  return z
    .strictObject({ ...config.shape, ...judged, ...optional, ...own, ...computed, ...(divisible ? sharing : {}) })
    .optional()
}

const inFile = stages.flatMap(({ stage, inFile }) => (inFile ? [{ stage, reads: inFile.reads }] : []))

/** Names of the stages that a file may have sections for, in their order. */
export const sections: readonly string[] = inFile.map(({ stage }) => stage.stage)

/** Who does the work of a file. */
export const QueueConfig = {
  on: z
    .enum(['local', 'queue'])
    .default('local')
    .describe('Who does the work: processes here, or `pipeline worker`s that take jobs from a queue'),
  queue: z
    .string()
    .optional()
    .describe('Queue: redis://host:port or postgres://user@host/database (default: PIPELINE_QUEUE)'),
  machines: z
    .string()
    .regex(/^[a-z0-9-]{1,40}$/, 'is not 1 to 40 small letters, digits and dashes')
    .default('any')
    .describe('Kind of machines whose workers take the jobs, so that unlike ones have queues of their own'),
  'units-per-job': z.int().min(1).default(1).describe('Shards, latents or other units of work in a job of the queue'),
}

export const PipelineConfig = z.strictObject({
  name: z.string().default('pipeline').describe('What the ids of its runs begin with'),
  seed: z.int().min(0).default(0).describe('Seed of all stages'),
  engine: ProcessConfig.engine,
  precision: ProcessConfig.precision.describe(
    'Precision of training; other stages are float32 unless their section says so',
  ),
  threads: ProcessConfig.threads,
  ...SharingConfig,
  ...QueueConfig,
  ...StoreConfig,
  ...SharedConfig,
  model: z.string().optional().describe('Hugging Face model directory, or the built-in model toyworld'),
  dataset: DatasetConfig.optional(),
  schedule: ScheduleConfig.optional().describe('When `pipeline schedule` does this file'),
  ...Object.fromEntries(inFile.map(({ stage }) => [stage.stage, section(stage)])),
})
export type PipelineConfig = z.output<typeof PipelineConfig>

export interface PlannedStage {
  readonly stage: Stage
  /** The settings of the stage's own command, given the ids of the runs that were done before it. */
  settings(done: Readonly<Record<string, string>>): Record<string, unknown>
}

/**
 * The stages that the file has sections for, in order. A file without any, a name that no run can have, and a model or
 * dataset that none of its stages would look at are `UserError`s, before anything is done.
 */
export function stagesOf(config: PipelineConfig): PlannedStage[] {
  const given = (stage: Stage) =>
    (config as Record<string, unknown>)[stage.stage] as Record<string, unknown> | undefined
  const planned = inFile.filter(({ stage }) => given(stage) !== undefined)
  if (planned.length === 0)
    throw new UserError(`run has nothing to do: the file has no section ${orList(sections)}.`, {
      fix: 'Add one; an empty section, such as `validate: {}`, does the stage with its defaults.',
    })
  for (const { stage } of planned) checkPrefix(`${config.name}-${stage.stage}`)
  for (const key of ['model', 'dataset'] as const)
    if (config[key] !== undefined && !planned.some(({ stage }) => key in stage.inputs))
      throw new UserError(
        `The file names a ${key}, but none of its stages (${planned.map(({ stage }) => stage.stage).join(', ')}) reads one.`,
        { fix: `Leave ${key} out, or add a section that reads it.` },
      )
  return planned.map(({ stage, reads }) => ({
    stage,
    settings: done => ({
      prefix: `${config.name}-${stage.stage}`,
      seed: config.seed,
      ...(stage.needsEngine === false
        ? {}
        : {
            engine: config.engine,
            precision: stage.stage === 'train' ? config.precision : 'float32',
            threads: config.threads,
          }),
      'runs-dir': config['runs-dir'],
      store: config.store,
      ...(stage.divisible ? { workers: config.workers, parts: config.parts, mixed: config.mixed } : {}),
      ...('model' in stage.inputs ? { model: config.model } : {}),
      ...('dataset' in stage.inputs ? { dataset: config.dataset } : {}),
      ...Object.fromEntries(
        Object.entries(reads)
          .filter(([, from]) => done[from] !== undefined)
          .map(([key, from]) => [key, done[from]]),
      ),
      ...given(stage),
    }),
  }))
}

function orList(words: readonly string[]): string {
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}
