/**
 * A stage done by workers of a queue. Whoever asks holds no lock and starts no engine: it adds jobs for what is missing in
 * the store, looks again, and at last has a worker close the run. It may be ended and started again at any time, and so may
 * the queue's server: what is done is in the store.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseConfig } from '../../core/config.ts'
import { FaultError, UserError } from '../../core/errors.ts'
import type { Parts } from '../../objects/parts.ts'
import { mustBeWhole } from '../../runs/read.ts'
import { openStore } from '../stages/common.ts'
import { type Identity, partsOf } from '../stages/divide.ts'
import { resultOf, type StageResult } from '../stages/perform.ts'
import type { Session } from '../stages/session.ts'
import type { Stage, StageConfig } from '../stages/stage.ts'
import { Divided, type JobData, jobOf } from './job.ts'
import { type Asking, interrupted, patient } from './patient.ts'
import { wordOfPlace } from './place.ts'
import type { JobQueue, QueuedJob } from './queue.ts'

export interface RemoteSettings {
  readonly queue: JobQueue
  /** Units in a job. */
  readonly unitsPerJob: number
  /** Lower ones come first; 1 is the least. */
  readonly priority: number
  /** Seconds between two looks at store and queue. */
  readonly look: number
}

/** A run that workers made, as one that this process made would be told. */
export type RemoteResult = StageResult & { readonly label?: string | undefined }

/** Has a stage done; its runs are read from the store, whatever workers say. Throws what a worker met, by its sentence. */
export async function performRemotely(
  stage: Stage,
  config: StageConfig,
  session: Session,
  settings: RemoteSettings,
): Promise<RemoteResult[]> {
  const began = performance.now()
  const place = await wordOfPlace(config)
  const asked = {
    stage,
    config,
    place,
    session,
    settings: { ...settings, queue: patient(settings.queue, settings.look, session) },
  }
  const divided = stage.divisible
    ? parseConfig(Divided, await single(asked, jobOf('open', stage.stage, config, place)), 'what a worker says')
    : undefined
  const run = divided && 'run' in divided ? divided.run : undefined
  const identity = divided && 'key' in divided ? divided : null
  if (identity) await allUnits(asked, await partsOf(config, identity.key), identity)
  const runs =
    run === undefined
      ? (
          (await single(asked, jobOf('stage', stage.stage, config, place, { identity }))) as {
            runs: { id: string; label: string | null }[]
          }
        ).runs
      : [{ id: run, label: null }]
  const store = openStore(config)
  const results: RemoteResult[] = []
  for (const { id, label } of runs) {
    const done = await store.finished(id, [stage.stage])
    // A worker says that it is there, and not that it is as it was.
    if (run !== undefined) await mustBeWhole(done, session.signal)
    const seconds = run === undefined ? (performance.now() - began) / 1000 : 0
    const state = run === undefined ? 'new' : 'unchanged'
    results.push({
      ...(await resultOf(stage, config, store, { state, done, seconds })),
      ...(label === null ? {} : { label }),
    })
  }
  return results
}

/** Looks at a job that nobody takes before it is said that workers are missing. */
const looksUnheard = 20

interface Asked {
  readonly stage: Stage
  readonly config: StageConfig
  /** The word of the place that the config names. */
  readonly place: string
  readonly session: Session
  readonly settings: Omit<RemoteSettings, 'queue'> & { readonly queue: Asking }
}

/** Waits a little. Throws where the work is to stop; a server that is away is waited for. */
async function nextLook({ session, settings }: Asked): Promise<void> {
  await sleep(settings.look * 1000, undefined, { signal: session.signal }).catch(() => {})
  if (session.signal.aborted) throw interrupted()
}

/**
 * The result of one job: of one of the same work that is in the queue, else of a new one, also where the queue lost it. Two that ask at
 * the same moment both add one, of which the second may find the run being written by the first: then the first one's result counts.
 */
async function single(asked: Asked, data: JobData): Promise<unknown> {
  const { queue, priority } = asked.settings
  const failed = new Set<string>()
  const others = new Set<string>()
  const look = async () => {
    for (const job of await queue.live()) if (isSame(job, data) && !failed.has(job.id)) others.add(job.id)
    return [...others][0]
  }
  let id = (await look()) ?? (await queue.add(data, priority))
  await look()
  let unheard = 0
  for (;;) {
    const job = await queue.find(id)
    // One that failed waits to be tried again, which is another thing.
    if (job?.state === 'active') unheard = 0
    else if (job?.attempts === 0 && ++unheard === looksUnheard)
      asked.session.progress.note(
        `No worker of ${queue.place} takes the job. \`pipeline worker\` with the same --queue and --runs-dir, or --store, does jobs; this goes on when there is one that is free.`,
      )
    if (!job) id = await queue.add(data, priority)
    else if (job.state === 'completed') return job.result
    else if (job.state === 'failed') {
      failed.add(id)
      others.delete(id)
      const other = job.failure?.exitCode === 1 ? undefined : await look()
      if (other === undefined) throw failureOf(asked, [job])
      id = other
    }
    await nextLook(asked)
  }
}

/**
 * Until the parts of all units are in the store: adds jobs for those that no job in the queue is to do. A unit whose job failed
 * for good is not tried again; the others are done first, unless it is the user's to mend, which is thrown at once.
 */
async function allUnits(asked: Asked, parts: Parts, identity: Identity): Promise<void> {
  const { stage, config, place, session, settings } = asked
  const { queue, unitsPerJob, priority } = settings
  const names = await parts.units()
  // Another who asked for the same has closed the run meanwhile.
  if (!names) return
  const before = new Set((await queue.failed()).map(({ id }) => id))
  const { work } = jobOf('units', stage.stage, config, place)
  const ours = (job: QueuedJob) => dataOf(job)?.work === work
  session.progress.start(`${stage.stage} by workers`, names.length, 'parts')
  for (;;) {
    // First the queue, then the store: what was neither in work nor done is missing indeed.
    const covered = new Set((await queue.live()).filter(ours).flatMap(unitsOf))
    const failed = (await queue.failed()).filter(job => !before.has(job.id) && ours(job))
    const there = await parts.done()
    session.progress.update(there.size)
    if (!(await parts.units())) break
    if (names.every(name => there.has(name))) break
    const mistake = failed.find(({ failure }) => failure?.exitCode === 1)
    if (mistake) throw failureOf(asked, [mistake], names)
    // Of a job of several units it is not known which one failed: each that is missing is tried by itself.
    const suspects = new Set(failed.flatMap(unitsOf))
    const alone = failed.filter(job => unitsOf(job).length === 1)
    const poison = new Set(alone.flatMap(unitsOf))
    const missing = [...names.keys()].filter(unit => !there.has(names[unit]!) && !covered.has(unit))
    const todo = missing.filter(unit => !poison.has(unit))
    if (todo.length === 0 && covered.size === 0) throw failureOf(asked, alone, names)
    const fresh = todo.filter(unit => !suspects.has(unit))
    for (const units of [
      ...rangesOf(fresh, unitsPerJob),
      ...rangesOf(
        todo.filter(unit => suspects.has(unit)),
        1,
      ),
    ])
      await queue.add(jobOf('units', stage.stage, config, place, { identity, units }), priority)
    await nextLook(asked)
  }
  session.progress.finish()
}

/** Runs of neighbours, of at most `most` each. */
export function rangesOf(units: readonly number[], most: number): { from: number; to: number }[] {
  const ranges: { from: number; to: number }[] = []
  for (const unit of units) {
    const last = ranges.at(-1)
    if (last && last.to === unit && unit - last.from < most) last.to = unit + 1
    else ranges.push({ from: unit, to: unit + 1 })
  }
  return ranges
}

const dataOf = ({ data }: QueuedJob) => data as Partial<JobData> | null

function isSame(job: QueuedJob, { kind, work }: JobData): boolean {
  return dataOf(job)?.kind === kind && dataOf(job)?.work === work
}

function unitsOf(job: QueuedJob): number[] {
  const units = dataOf(job)?.units
  return units ? Array.from({ length: units.to - units.from }, (_, i) => units.from + i) : []
}

/** What jobs of one work met, by the first; the units of all are named. */
function failureOf({ stage }: Asked, jobs: readonly QueuedJob[], names?: readonly string[]): UserError {
  const [job] = jobs as [QueuedJob]
  const units = names ? jobs.flatMap(unitsOf) : []
  const shown = units.slice(0, 5).map(unit => names![unit])
  const all = [...shown, ...(units.length > shown.length ? [`${units.length - shown.length} more`] : [])].join(', ')
  const what = units.length > 0 ? `${all} of ${stage.stage}` : `The ${stage.stage} of this file`
  const alone =
    units.length > 0
      ? ` \`pipeline ${stage.stage} … --shard ${units[0]} --of ${names!.length}\` does the first alone.`
      : ''
  const { message, exitCode } = job.failure ?? { message: 'the queue does not say why', exitCode: 75 }
  const kind = exitCode === 1 ? UserError : FaultError
  const tries = job.attempts === 1 ? 'one attempt' : `${job.attempts} attempts`
  return new kind(`${what} failed after ${tries}: ${message}`, {
    fix: `Parts that are done are kept.${alone} Once it is mended, start the same command again.`,
  })
}
