/**
 * What is known of schedules, beside the runs: `.schedules/<name>/schedule.json` says which file is done, `journal.jsonl` has a
 * line a time, and `tick.json` stands while one is being done, so that whoever starts next goes on with it.
 */
import { open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { parseConfig } from '../../core/config.ts'
import { codeOf, NotThereError, UserError } from '../../core/errors.ts'
import { makeFolder, readJson, writeError, writeJson } from '../../core/files.ts'
import { withLock } from '../../core/lock.ts'
import { nearest } from '../../core/nearest.ts'
import { checkId } from '../../runs/names.ts'
import { RunId } from '../../runs/run.ts'
import { ScheduleConfig } from '../stages/schedule.ts'

/** Folder of the schedules beside the runs. */
const schedulesFolder = '.schedules'

const Entry = z.strictObject({
  schema: z.literal(1),
  name: z.string(),
  /** The pipeline file, read anew each time, and the folder from which its paths are. */
  file: z.string(),
  folder: z.string(),
  added: z.iso.datetime(),
  /** The file's section as it last could be read; null where it was not yet. A file that is broken is told of at its times by it. */
  schedule: ScheduleConfig.nullable().default(null),
})
export type Entry = z.infer<typeof Entry>

export const Line = z.strictObject({
  schema: z.literal(1),
  schedule: z.string(),
  due: z.iso.datetime(),
  /** Times before this one that passed while no scheduler ran. */
  missed: z.int().min(0),
  started: z.iso.datetime().nullable(),
  finished: z.iso.datetime(),
  /** Runs by stage, in the order of the stages; of a grid there are several. */
  runs: z.record(z.string(), z.array(RunId)),
  /** Whether every stage was done before, on the same inputs with the same settings. */
  unchanged: z.boolean(),
  /** `skipped`: nothing was done, and `problem` says why. */
  verdict: z.enum(['accepted', 'gate failed', 'inconclusive', 'failed', 'interrupted', 'skipped']),
  exitCode: z.int().nullable(),
  /** What is wrong, or why nothing was done; null where all is well. */
  problem: z.string().nullable(),
  /** How the runs compare with those of the last accepted time; null where there is none, or where nothing changed. */
  comparison: z
    .strictObject({
      due: z.iso.datetime(),
      /** Whether anything drifted; null where nothing could be tested. */
      drift: z.boolean().nullable(),
      /** Of captures, and of evidence of one SAE: cells that drifted of those tested (docs/drift.md), or why they were not compared. */
      drifts: z.array(
        z.strictObject({
          stage: z.string(),
          before: RunId,
          now: RunId,
          drifted: z.int().min(0).nullable(),
          tested: z.int().min(0).nullable(),
          problem: z.string().nullable(),
          /** The run that the comparison is kept in; null where there is none, as before comparisons were kept. */
          run: RunId.nullable().default(null),
        }),
      ),
      figures: z.array(z.strictObject({ stage: z.string(), figure: z.string(), before: z.number(), now: z.number() })),
    })
    .nullable(),
  /** Runs that were removed then, as `keep` asks. */
  removed: z.array(RunId),
  /** Who was told, and what kept others from being told. */
  told: z.array(z.string()),
})
export type Line = z.infer<typeof Line>

const Tick = z.strictObject({
  schema: z.literal(1),
  due: z.iso.datetime(),
  missed: z.int().min(0),
  started: z.iso.datetime(),
})
export type Tick = z.infer<typeof Tick>

/** Why a time was skipped that came while another one was done. */
export const stillBusy = 'the time before it was still being done'

/** The line of a time at which nothing was done, and from which the others are made. */
export function emptyLine(schedule: string, { due, missed }: Pick<Tick, 'due' | 'missed'>, finished: Date): Line {
  return {
    ...{ schema: 1, schedule, due, missed, started: null, finished: finished.toISOString(), runs: {} },
    ...{ unchanged: false, verdict: 'skipped', exitCode: null, problem: null, comparison: null, removed: [], told: [] },
  }
}

/** The schedules of a run store. */
export class Book {
  readonly folder: string

  constructor(runs: string) {
    this.folder = join(runs, schedulesFolder)
  }

  /** Names of all schedules, sorted. */
  async names(): Promise<string[]> {
    const entries = await readdir(this.folder, { withFileTypes: true }).catch(error => {
      if (codeOf(error) === 'ENOENT') return []
      throw error
    })
    const folders = entries.filter(entry => entry.isDirectory()).map(({ name }) => name)
    const are = await Promise.all(folders.map(name => this.has(name)))
    return folders.filter((_, i) => are[i]).sort()
  }

  /** Whether there is a schedule of that name, and nobody has removed it meanwhile. */
  async has(name: string): Promise<boolean> {
    const found = await stat(this.pathOf(name, 'schedule.json')).catch(error => {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    })
    return found !== undefined
  }

  async entry(name: string): Promise<Entry> {
    const path = this.pathOf(name, 'schedule.json')
    const known = await this.names()
    if (!known.includes(name)) {
      const [best] = nearest(name, known, 1)
      throw new NotThereError(`There is no schedule ${name} in ${this.folder}.`, {
        fix: best ? `Did you mean ${best}?` : '`pipeline schedule add FILE` makes one.',
      })
    }
    return parseConfig(Entry, await readJson(path, 'schedule'), `the schedule ${path}`)
  }

  /** Adds a schedule. A `UserError` where another file has that name already. */
  async add(entry: Entry): Promise<'added' | 'there'> {
    checkId(entry.name)
    if ((await this.names()).includes(entry.name)) {
      const before = await this.entry(entry.name)
      if (before.file === entry.file && before.folder === entry.folder) return 'there'
      throw new UserError(`The schedule ${entry.name} is of ${before.file} already.`, {
        fix: `Give the file another name, or remove that one: pipeline schedule remove ${entry.name}`,
      })
    }
    await makeFolder(join(this.folder, entry.name))
    await writeJson(this.pathOf(entry.name, 'schedule.json'), entry)
    return 'added'
  }

  /** Keeps what a schedule's file says now, where that is news. */
  async remember(entry: Entry, schedule: ScheduleConfig): Promise<void> {
    if (JSON.stringify(schedule) === JSON.stringify(entry.schedule) || !(await this.has(entry.name))) return
    await writeJson(this.pathOf(entry.name, 'schedule.json'), { ...entry, schedule })
  }

  /** Removes a schedule and its journal; runs stay. */
  async remove(name: string): Promise<void> {
    await this.entry(name)
    await rm(join(this.folder, name), { recursive: true, force: true })
  }

  /** All lines of the journal, oldest first. A line that a power cut left half is none. */
  async journal(name: string): Promise<Line[]> {
    const path = this.pathOf(name, 'journal.jsonl')
    const text = await readFile(path, 'utf8').catch(error => {
      if (codeOf(error) === 'ENOENT') return ''
      throw error
    })
    return text
      .split('\n')
      .slice(0, -1)
      .map((line, i) => parseConfig(Line, parsed(line, path, i), `line ${i + 1} of ${path}`))
  }

  /**
   * Adds a line, which is on disk when this is done. What a power cut left of an unfinished one is cut off first. The line of a
   * schedule that was removed while its time was done is left out, or its folder would be back.
   */
  async write(line: Line): Promise<void> {
    if (!(await this.has(line.schedule))) return
    const path = this.pathOf(line.schedule, 'journal.jsonl')
    // One that says that it did nothing may write while another one writes what it did.
    const lock = { what: `The journal ${path}`, patience: 60 }
    await withLock(this.pathOf(line.schedule, '.journal-lock'), lock, async () => {
      try {
        const file = await open(path, 'a+')
        try {
          const text = await file.readFile('utf8')
          const whole = Buffer.byteLength(text.slice(0, text.lastIndexOf('\n') + 1))
          await file.truncate(whole)
          await file.appendFile(`${JSON.stringify(line)}\n`)
          await file.sync()
        } finally {
          await file.close()
        }
      } catch (error) {
        throw writeError(path, error)
      }
    })
  }

  /** The time that is being done, or that was when its scheduler was ended. */
  async tick(name: string): Promise<Tick | undefined> {
    const path = this.pathOf(name, 'tick.json')
    const text = await readFile(path, 'utf8').catch(error => {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    })
    return text === undefined ? undefined : parseConfig(Tick, parsed(text, path, 0), `the file ${path}`)
  }

  async begin(name: string, tick: Tick): Promise<void> {
    await writeJson(this.pathOf(name, 'tick.json'), tick)
  }

  async end(name: string): Promise<void> {
    await rm(this.pathOf(name, 'tick.json'), { force: true })
  }

  /** Where the lock of a schedule is, which whoever does a time of it holds. */
  lockOf(name: string): string {
    return this.pathOf(name, '.lock')
  }

  private pathOf(name: string, file: string): string {
    return join(this.folder, name, file)
  }
}

function parsed(line: string, path: string, i: number): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    throw new UserError(`Line ${i + 1} of ${path} is not JSON.`, {
      fix: 'Take the line out, or put it right.',
      cause: error,
    })
  }
}
