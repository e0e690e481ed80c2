/** The process that does schedules when their times come, and goes on after any end where it was. */
import { setTimeout as sleep } from 'node:timers/promises'
import { InterruptedError, messageOf, UserError } from '../../core/errors.ts'
import { lastDue, nextDue, type ScheduleConfig } from '../stages/schedule.ts'
import { type Entry, emptyLine, type Line, stillBusy } from './book.ts'
import { type Desk, doTick, holding, scheduleOf } from './tick.ts'

/** Milliseconds between two looks at schedules that were added, changed or removed meanwhile. */
const look = 30_000

/**
 * Milliseconds until a schedule is looked at again that another process held: it may be doing a time, or have looked just then with a
 * clock that is behind, and found nothing to do.
 */
const lookAtHeld = 1000

/** What a schedule has to do at a moment. */
export type Todo =
  | { readonly kind: 'do'; readonly due: string; readonly missed: number }
  | { readonly kind: 'skip'; readonly due: string; readonly missed: number }
  | { readonly kind: 'wait'; readonly until: Date | undefined }

/**
 * What is to be done now: what was begun and not ended, then the last of the times that passed, for all of them. Times that
 * passed more than `late` milliseconds ago were missed, and are skipped where the schedule says so.
 */
export function todoOf(
  schedule: ScheduleConfig,
  {
    since,
    begun,
    now,
    late = 60_000,
  }: { since: Date; begun: { due: string; missed: number } | undefined; now: Date; late?: number },
): Todo {
  if (begun) return { kind: 'do', due: begun.due, missed: begun.missed }
  const found = lastDue(schedule, since, now)
  if (!found) return { kind: 'wait', until: nextDue(schedule, since) }
  const { due, missed } = found
  const isMissed = now.getTime() - due.getTime() > late
  return { kind: isMissed && schedule.misfire === 'skip' ? 'skip' : 'do', due: due.toISOString(), missed }
}

/** What came of a look at a schedule: the line that was written, or when to look again, and what is wrong with its file. */
export type Attended = { readonly line: Line } | { readonly until: Date | undefined; readonly problem: string | null }

/**
 * Looks at a schedule once and does what is to be done. It is decided while the
 * schedule's lock is held: of two schedulers one does a time, and the other finds it done, whatever their clocks say. What another
 * process holds is looked at again soon.
 */
export async function attend(desk: Desk, entry: Entry): Promise<Attended> {
  const found = await holding(desk, entry, () => attendAlone(desk, entry))
  return found ?? { until: new Date(desk.session.now().getTime() + lookAtHeld), problem: null }
}

async function attendAlone(desk: Desk, entry: Entry): Promise<Attended> {
  const { book, session } = desk
  const { schedule, problem } = await scheduleOf(desk, entry)
  const journal = await book.journal(entry.name)
  const since = new Date(journal.at(-1)?.due ?? entry.added)
  const begun = await book.tick(entry.name)
  const todo = todoOf(schedule, { since, begun, now: session.now() })
  if (todo.kind === 'wait') return { until: todo.until, problem }
  const { kind, ...tick } = todo
  if (kind === 'do') return { line: await doTick(desk, entry, tick) }
  const last = journal.at(-1)
  const isBusy = last !== undefined && last.finished > tick.due
  const line: Line = {
    ...emptyLine(entry.name, tick, session.now()),
    problem: isBusy ? stillBusy : 'no scheduler ran when it was due',
  }
  await book.write(line)
  return { line }
}

/** Does all schedules of a store as their times come, until the signal is aborted. Each is done by itself, so that a long one holds up no other. */
export async function runScheduler(desk: Desk): Promise<void> {
  const { book, session } = desk
  const { signal, progress } = session
  const busy = new Map<string, Promise<void>>()
  const complaints = new Map<string, string>()
  /** Once, not at every look. */
  const complain = (name: string, problem: string | null) => {
    if (problem !== null && complaints.get(name) !== problem) progress.note(`${name}: ${problem}`)
    if (problem === null) complaints.delete(name)
    else complaints.set(name, problem)
  }
  const attendTo = async (name: string): Promise<Date | undefined> => {
    try {
      const found = await attend(desk, await book.entry(name))
      if ('until' in found) {
        complain(name, found.problem)
        return found.until
      }
      const { due, verdict, unchanged, problem, told } = found.line
      const what = `${verdict}${unchanged ? ', unchanged' : ''}${problem === null ? '' : `: ${problem}`}`
      progress.note(`${name}, due ${due}: ${what}${told.length > 0 ? ` (told by ${told.join('; ')})` : ''}`)
    } catch (error) {
      if (error instanceof InterruptedError) return undefined
      if (!(error instanceof UserError)) throw error
      complain(name, messageOf(error))
      return undefined
    }
    return session.now()
  }
  let broken: { error: unknown } | undefined
  while (!signal.aborted && !broken) {
    let next = Date.now() + look
    const names = (await book.names()).filter(name => !busy.has(name))
    await Promise.all(
      names.map(async name => {
        const working = attendTo(name).then(
          until => {
            if (until) next = Math.min(next, until.getTime())
          },
          error => {
            broken ??= { error }
          },
        )
        busy.set(name, working)
        // One that has work to do goes on beside the others.
        await Promise.race([working, sleep(1000, undefined, { ref: false })])
        void working.finally(() => busy.delete(name))
      }),
    )
    const pause = Math.max(200, Math.min(look, next - Date.now()))
    await sleep(busy.size > 0 ? Math.min(pause, 1000) : pause, undefined, { signal }).catch(() => {})
  }
  await Promise.all(busy.values())
  if (broken) throw broken.error
}
