/** One time of a schedule: its file is done, compared with the last accepted time, told of, and written down in one line. */
import { resolve } from 'node:path'
import { parseConfig } from '../../core/config.ts'
import { FaultError, InterruptedError, messageOf, UserError } from '../../core/errors.ts'
import { takeLock } from '../../core/lock.ts'
import type { RunStore } from '../../runs/store.ts'
import { readConfigFile } from '../flags.ts'
import { type ChildOutcome, endOf, runChild } from '../stages/child.ts'
import { PipelineConfig, stagesOf } from '../stages/file.ts'
import type { StageResult } from '../stages/perform.ts'
import type { ScheduleConfig } from '../stages/schedule.ts'
import type { Session } from '../stages/session.ts'
import { type Book, type Entry, emptyLine, type Line, stillBusy, type Tick } from './book.ts'
import { compare, type Drifted } from './compare.ts'
import { gateProblem } from './gates.ts'
import { isWrong, notify } from './notify.ts'
import { removable, removeRuns } from './retention.ts'

/** What `pipeline run --json` prints. */
export interface RunOutcome {
  readonly stages: readonly Pick<StageResult, 'stage' | 'run' | 'state' | 'gates'>[]
  readonly exitCode?: number
  readonly error?: { readonly message: string; readonly fix?: string }
}

/** Does a pipeline file in a process of its own. */
export type RunFile = (config: object, folder: string, signal: AbortSignal) => Promise<ChildOutcome<RunOutcome>>

export interface Desk {
  readonly book: Book
  readonly store: RunStore
  readonly session: Session
  /** Default: `pipeline run` in a process of its own. */
  readonly runFile?: RunFile
  /** Default: `pipeline runs drift` in a process of its own. */
  readonly findDrift?: (before: string, now: string, signal: AbortSignal) => Promise<Drifted>
}

const runByChild: RunFile = (config, folder, signal) => runChild<RunOutcome>('run', config, signal, folder)

/** Whether two runs of a store are of one distribution, found by a process of its own. */
function driftByChild(runs: string): NonNullable<Desk['findDrift']> {
  return async (a, b, signal) => {
    const config = { a, b, 'runs-dir': runs }
    const { exitCode, result } = await runChild<Exclude<Drifted, { problem: string }>>('runs drift', config, signal)
    if (result && 'drifted' in result) return { drifted: result.drifted, tested: result.tested, run: result.run }
    return { problem: result?.error.message ?? `its process ${endOf(exitCode)}` }
  }
}

/** The file of a schedule as it is now, with its section `schedule`; a `UserError` where it has none or cannot be done. */
export async function readScheduled(path: string): Promise<PipelineConfig & { readonly schedule: ScheduleConfig }> {
  const config = await readPipeline(path)
  return { ...config, schedule: scheduleIn(config, path) }
}

async function readPipeline(path: string): Promise<PipelineConfig> {
  const config = parseConfig(PipelineConfig, await readConfigFile(path), path)
  stagesOf(config)
  return config
}

function scheduleIn({ schedule }: PipelineConfig, path: string): ScheduleConfig {
  if (!schedule)
    throw new UserError(`${path} has no section schedule.`, {
      fix: "Add one, such as `schedule: { cron: '0 3 * * *' }`.",
    })
  return schedule
}

/**
 * The schedule as its file has it now; as it last had it where the file cannot be read, with what is wrong with it, so that the
 * times of a file that somebody broke fail and are told of. A `UserError` where that is not known, or where the file has none any more.
 */
export async function scheduleOf(
  { book }: Desk,
  entry: Entry,
): Promise<{ readonly schedule: ScheduleConfig; readonly problem: string | null }> {
  let config: PipelineConfig
  try {
    config = await readPipeline(entry.file)
  } catch (error) {
    if (!(error instanceof UserError) || entry.schedule === null) throw error
    return { schedule: entry.schedule, problem: messageOf(error) }
  }
  const schedule = scheduleIn(config, entry.file)
  await book.remember(entry, schedule)
  return { schedule, problem: null }
}

/** Does `work` while holding a schedule's lock, so that two times are never done at once; undefined where another holds it. */
export async function holding<T>({ book }: Desk, { name }: Entry, work: () => Promise<T>): Promise<T | undefined> {
  const lock = await takeLock(book.lockOf(name), { what: `The schedule ${name}`, patience: 0 }).catch(error => {
    if (error instanceof FaultError) return undefined
    throw error
  })
  if (!lock) return undefined
  try {
    return await work()
  } finally {
    await lock.release()
  }
}

/**
 * Does a schedule as if it were due: what was begun and not ended, else a time of now. Gives the line that was written. Where
 * another process is doing it, nothing is done, and the line says so.
 */
export async function doNow(desk: Desk, entry: Entry): Promise<Line> {
  const { book, session } = desk
  const due = session.now().toISOString()
  const line = await holding(desk, entry, async () => {
    const begun = await book.tick(entry.name)
    return doTick(desk, entry, { due: begun?.due ?? due, missed: begun?.missed ?? 0 })
  })
  if (line) return line
  const skipped = {
    ...emptyLine(entry.name, { due, missed: 0 }, session.now()),
    problem: stillBusy,
  }
  await book.write(skipped)
  return skipped
}

/**
 * Does the time of a schedule that `tick` names, and gives the line that was written; whoever calls it holds the schedule's lock.
 * An interrupt leaves it to be gone on with.
 */
export async function doTick(desk: Desk, entry: Entry, tick: Omit<Tick, 'schema' | 'started'>): Promise<Line> {
  const { book, session } = desk
  const started = session.now().toISOString()
  await book.begin(entry.name, { schema: 1, ...tick, started })
  const line = await work(desk, entry, { ...tick, started })
  await book.write(line)
  await book.end(entry.name)
  return line
}

async function work(desk: Desk, entry: Entry, tick: Omit<Tick, 'schema'>): Promise<Line> {
  const { book, store, session, runFile = runByChild } = desk
  const findDrift = desk.findDrift ?? driftByChild(resolve(store.directory))
  const base = { ...emptyLine(entry.name, tick, session.now()), started: tick.started }
  let schedule: ScheduleConfig | undefined
  let line: Line
  try {
    const config = await readScheduled(entry.file)
    schedule = config.schedule
    await book.remember(entry, schedule)
    const given = { ...(await readConfigFile(entry.file)), 'runs-dir': resolve(store.directory) }
    line = lineOf(base, await runFile(given, entry.folder, session.signal))
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    line = { ...base, verdict: 'failed', exitCode: error.exitCode, problem: messageOf(error) }
  }
  // Whoever starts the schedule next goes on with it, since what was begun is noted.
  const mustGoOn = () => {
    if (session.signal.aborted)
      throw new InterruptedError(`The schedule ${entry.name} was stopped at the time due ${tick.due}.`, {
        fix: 'Start it again to go on.',
      })
  }
  mustGoOn()
  const journal = await book.journal(entry.name)
  line = { ...line, finished: session.now().toISOString(), comparison: null }
  if (line.verdict !== 'failed')
    line.comparison = await compare(store, journal, line, (a, b) => findDrift(a, b, session.signal))
  // What a stop left uncompared is compared by whoever goes on, or a drift would never be told of.
  mustGoOn()
  if (schedule && schedule.keep !== null) {
    const { runs } = await store.list()
    const removed = removable([...journal, line], schedule.keep, runs)
    await removeRuns(store, removed)
    line = { ...line, removed }
  }
  const telling = schedule ?? entry.schedule
  if (telling && isWrong(line)) line = { ...line, told: await notify(telling.onFailure, line, entry.folder) }
  return line
}

const verdicts: Readonly<Record<number, Line['verdict']>> = {
  0: 'accepted',
  2: 'gate failed',
  3: 'inconclusive',
  4: 'interrupted',
}

/** What the process that did the file says, as a line. */
function lineOf(base: Line, { exitCode, result }: ChildOutcome<RunOutcome>): Line {
  const done = result && 'stages' in result ? result.stages : []
  const runs: Record<string, string[]> = {}
  for (const { stage, run } of done) runs[stage] = [...(runs[stage] ?? []), run]
  const problem = result?.error ?? (exitCode > 4 ? { message: `its process ${endOf(exitCode)}` } : undefined)
  return {
    ...base,
    runs,
    unchanged: done.length > 0 && problem === undefined && done.every(({ state }) => state === 'unchanged'),
    verdict: verdicts[exitCode] ?? 'failed',
    exitCode,
    problem: problem?.message ?? gateProblem(done) ?? null,
  }
}
