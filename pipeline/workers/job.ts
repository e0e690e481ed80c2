/** A job of the queue, as text that anybody who may write to the queue can have written: a worker checks all of it again. */
import { hostname } from 'node:os'
import { z } from 'zod'
import { parseConfig } from '../../core/config.ts'
import { UserError } from '../../core/errors.ts'
import { hashValue } from '../../core/hash.ts'
import { stageNamed, stageNames } from '../stages/index.ts'
import { type StageConfig, stageSchema } from '../stages/stage.ts'
import { packageVersion } from '../stages/version.ts'

/** Keys that name files to write on the machine of whoever asked; a worker writes below its own folders alone. */
const places = ['runs-dir', 'store', 'parts', 'junit', 'markdown', 'shard', 'of', 'workers'] as const

const RunIdentity = z.strictObject({ key: z.string(), basis: z.record(z.string(), z.string()) })

/** What a job that divides a work gives: the run that there is already, or what the parts are of. */
export const Divided = z.union([z.strictObject({ run: z.string() }), RunIdentity])

const JobData = z.strictObject({
  schema: z.literal(3),
  /** `open` divides a stage's work, `units` does some of it, `stage` does a whole stage or closes one whose parts are there. */
  kind: z.enum(['open', 'units', 'stage']),
  stage: z.enum(stageNames),
  /** Hash of stage, config and place: jobs of the same work have the same. */
  work: z.string(),
  /** The word of the place where whoever asks looks for what is done; a worker of another place refuses. */
  place: z.string(),
  /** Version of the program that asks; a worker of another one refuses. */
  version: z.string(),
  /** The run that the work is of, as the worker found it that divided it; null before. */
  identity: RunIdentity.nullable(),
  config: z.record(z.string(), z.unknown()),
  /** Of `units`: which, in the order of the work's list, from `from` up to but not including `to`. */
  units: z.strictObject({ from: z.int().min(0), to: z.int().min(1) }).nullable(),
})
export type JobData = z.infer<typeof JobData>

/** The data of a job for a stage with a parsed config, asked for from the place that has this word. */
export function jobOf(
  kind: JobData['kind'],
  stage: string,
  config: StageConfig,
  place: string,
  { identity = null, units = null }: Partial<Pick<JobData, 'identity' | 'units'>> = {},
): JobData {
  const own = Object.fromEntries(
    Object.entries(config).filter(([key, value]) => value !== undefined && !places.some(place => place === key)),
  )
  const work = hashValue({ stage, config: own, place })
  return { schema: 3, kind, stage, work, place, version: packageVersion(), identity, config: own, units }
}

/** A job as a worker does it: its config parsed again, with the worker's own places in it. Throws a `UserError` for any other. */
export function readJob(
  data: unknown,
  own: Pick<StageConfig, 'runs-dir' | 'store' | 'parts' | 'threads'>,
): JobData & { readonly config: StageConfig } {
  // Before all else, since what a job is may differ from version to version.
  const { version } = parseConfig(z.looseObject({ version: z.string() }), data, 'the job')
  if (version !== packageVersion())
    throw new UserError(
      `The job is of version ${version} of this program, and the worker on ${hostname()} has ${packageVersion()}.`,
      {
        fix: 'Install one version on all machines of the queue, or give unlike ones queues of their own (--machines).',
      },
    )
  const job = parseConfig(JobData, data, 'the job')
  const given = Object.fromEntries(Object.entries({ ...job.config, ...own }).filter(([, value]) => value !== undefined))
  const config = parseConfig(stageSchema(stageNamed(job.stage)), given, job.stage) as StageConfig
  const unwanted = places.find(place => place in job.config)
  if (unwanted !== undefined) throw new UserError(`The job sets ${unwanted}, which is for the worker alone to set.`)
  return { ...job, config }
}
