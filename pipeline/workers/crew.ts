/** Processes on this machine that share a stage's work: each takes the next unit, and one that dies is replaced. */
import { availableParallelism } from 'node:os'
import { FaultError, InterruptedError } from '../../core/errors.ts'
import type { Crew } from '../stages/divide.ts'
import type { Session } from '../stages/session.ts'
import { errorOf, type Reply, type Request } from './messages.ts'
import { type Host, WorkerGone, WorkerProcess } from './worker-process.ts'

/** A unit whose process ended this often is not tried again. */
const mostDeaths = 3

/**
 * Has all units of a work done whose parts are not in the store, by up to `workers` processes. A unit that ends its process
 * three times is a `FaultError` that names it, once the others are done; whatever a unit throws is thrown once they have stopped.
 */
export function localCrew(
  workers: number,
  session: Pick<Session, 'progress' | 'signal'>,
  start: () => Host = () => new WorkerProcess(),
): Crew {
  return async ({ stage, config, parts }) => {
    const { progress, signal } = session
    const known = await parts.units()
    if (known && (await missing(known)).length === 0) return
    const threads = config.threads ?? Math.max(1, Math.floor(availableParallelism() / workers))
    const open: Request = { kind: 'open', stage: stage.stage, config: { ...config, threads, workers: 1 } }
    const processes = new Set<Host>()
    const stopAll = () => {
      for (const one of processes) one.stop()
    }
    signal.addEventListener('abort', stopAll)

    let names = known
    let listing: Promise<string[]> | undefined
    let todo: string[] | undefined
    const deaths = new Map<string, number>()
    let failed: { error: unknown } | undefined
    let done = 0

    async function missing(units: readonly string[]): Promise<string[]> {
      const there = await parts.done()
      return units.filter(unit => !there.has(unit))
    }
    let poison: FaultError | undefined
    /** Counts the end of a process; a unit that ended so many is given up. */
    const died = (what: string, error: WorkerGone) => {
      const count = (deaths.get(what) ?? 0) + 1
      deaths.set(what, count)
      const told = what === '' ? `Opening the work of ${stage.stage}` : `The part ${what} of ${stage.stage}`
      if (count < mostDeaths) {
        progress.note(`${told}: its process ${error.message.split('\n')[0]}; another one takes its place.`)
        if (what !== '') todo!.unshift(what)
        return
      }
      const given = new FaultError(`${told} ended its process ${count} times; the last one ${error.message}.`, {
        fix: `What is done is kept. SIGKILL is mostly a lack of memory: use fewer workers.${what === '' ? '' : ` --shard ${names!.indexOf(what)} --of ${names!.length} does this part alone.`}`,
      })
      if (what === '') throw given
      progress.note(`${told} ended its process ${count} times and is left out.`)
      poison ??= given
    }
    /** One place among the workers: its process, and the next when that one dies. */
    const place = async (): Promise<void> => {
      while (!failed && !signal.aborted && (todo === undefined || todo.length > 0)) {
        const worker = start()
        processes.add(worker)
        let unit = ''
        try {
          const opened = must('opened', await worker.ask(open))
          names = opened.names
          // One list for all, whoever comes first.
          listing ??= missing(names)
          todo = await listing
          if (done === 0) progress.start(`Sharing ${stage.stage} among ${workers} processes`, todo.length, 'parts')
          while (!failed && !signal.aborted) {
            const next = todo.shift()
            if (next === undefined) break
            unit = next
            must('worked', await worker.ask({ kind: 'work', unit: names.indexOf(unit) }))
            progress.update(++done)
          }
        } catch (error) {
          if (!(error instanceof WorkerGone) || signal.aborted) throw error
          died(unit, error)
        } finally {
          processes.delete(worker)
          worker.end()
        }
      }
    }
    try {
      await Promise.all(
        Array.from({ length: workers }, () =>
          place().catch(error => {
            failed ??= { error }
            stopAll()
          }),
        ),
      )
    } finally {
      signal.removeEventListener('abort', stopAll)
    }
    if (signal.aborted)
      throw new InterruptedError('Stopped between two parts.', { fix: 'Start the same command again to go on.' })
    if (failed ?? poison) throw failed ? failed.error : poison
    // What processes say is not trusted: the parts themselves must be there.
    const absent = await missing(names!)
    // Closed by another run of the same key: what this one lacks it does by itself.
    if (absent.length > 0 && !(await parts.isOpen())) return progress.finish()
    if (absent.length > 0)
      throw new Error(`All parts of ${stage.stage} were said to be done, but ${absent[0]} is not there.`)
    progress.finish()
  }
}

/** A reply of a kind; what a process met instead is thrown here. */
export function must<K extends Reply['kind']>(kind: K, reply: Reply): Extract<Reply, { kind: K }> {
  if (reply.kind === 'failed') throw errorOf(reply.problem)
  if (reply.kind !== kind) throw new Error(`A worker process answered ${reply.kind} instead of ${kind}.`)
  return reply as Extract<Reply, { kind: K }>
}
