/** A job of the queue, as text that anybody who may write to the queue can have written: a worker checks all of it again. */
import { z } from 'zod'
import { parseConfig } from '../../core/config.ts'
import { UserError } from '../../core/errors.ts'
import { hashValue } from '../../core/hash.ts'
import { stageNamed, stageNames } from '../stages/index.ts'
import { type StageConfig, stageSchema } from '../stages/stage.ts'

/** Keys that name files to write on the machine of whoever asked; a worker writes below its own folders alone. */
const places = ['runs-dir', 'parts', 'junit', 'markdown', 'shard', 'of', 'workers'] as const

const JobData = z.strictObject({
  schema: z.literal(1),
  /** `open` divides a stage's work, `units` does some of it, `stage` does a whole stage or closes one whose parts are there. */
  kind: z.enum(['open', 'units', 'stage']),
  stage: z.enum(stageNames),
  /** Hash of stage and config: jobs of the same work have the same. */
  work: z.string(),
  /** Key of the run that the work is of, as the worker found it that divided it; null before. */
  key: z.string().nullable(),
  config: z.record(z.string(), z.unknown()),
  /** Of `units`: which, in the order of the work's list, from `from` up to but not including `to`. */
  units: z.strictObject({ from: z.int().min(0), to: z.int().min(1) }).nullable(),
})
export type JobData = z.infer<typeof JobData>

/** The data of a job for a stage with a parsed config. */
export function jobOf(
  kind: JobData['kind'],
  stage: string,
  config: StageConfig,
  { key = null, units = null }: Partial<Pick<JobData, 'key' | 'units'>> = {},
): JobData {
  const own = Object.fromEntries(
    Object.entries(config).filter(([key, value]) => value !== undefined && !places.some(place => place === key)),
  )
  return { schema: 1, kind, stage, work: hashValue({ stage, config: own }), key, config: own, units }
}

/** A job as a worker does it: its config parsed again, with the worker's own places in it. Throws a `UserError` for any other. */
export function readJob(
  data: unknown,
  own: Pick<StageConfig, 'runs-dir' | 'parts' | 'threads'>,
): JobData & { readonly config: StageConfig } {
  const job = parseConfig(JobData, data, 'the job')
  const given = Object.fromEntries(Object.entries({ ...job.config, ...own }).filter(([, value]) => value !== undefined))
  const config = parseConfig(stageSchema(stageNamed(job.stage)), given, job.stage) as StageConfig
  const unwanted = places.find(place => place in job.config)
  if (unwanted !== undefined) throw new UserError(`The job sets ${unwanted}, which is for the worker alone to set.`)
  return { ...job, config }
}
