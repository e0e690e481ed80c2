/** A queue whose server may be away for a while: it is asked again, and whoever waits is told. */
import { setTimeout as sleep } from 'node:timers/promises'
import { FaultError, InterruptedError, messageOf } from '../../core/errors.ts'
import type { Session } from '../stages/session.ts'
import type { JobQueue } from './queue.ts'

/** What is asked of the queue by whoever has work done. */
export type Asking = Pick<JobQueue, 'place' | 'add' | 'find' | 'live' | 'failed'>

/** Milliseconds without an answer after which it is said, and after which nobody waits any more. */
export interface Patience {
  readonly late: number
  readonly longest: number
}

/**
 * The queue, asked again every `look` seconds where its server is away: to ask or add once more changes nothing that is done.
 * Throws a `FaultError` where no answer comes for too long, and an `InterruptedError` once the signal is aborted meanwhile.
 */
export function patient(
  queue: JobQueue,
  look: number,
  { signal, progress }: Pick<Session, 'signal' | 'progress'>,
  { late, longest }: Patience = { late: 5000, longest: 300_000 },
): Asking {
  let isAway = false
  const tell = (why: string) => {
    if (!isAway)
      progress.note(
        `The queue at ${queue.place} does not answer${why}. It is waited for, ${longest / 1000} seconds at most.`,
      )
    isAway = true
  }
  const again = async <T>(work: () => Promise<T>): Promise<T> => {
    let why = ''
    let stop = (_: Error) => {}
    // A question may also wait within the library until its server is there again.
    const stopped = new Promise<never>((_, reject) => {
      stop = reject
    })
    stopped.catch(() => {})
    const interrupt = () => stop(interrupted())
    const giveUp = () => stop(new FaultError(`The queue at ${queue.place} does not answer${why}.`))
    const timers = [setTimeout(() => tell(why), late), setTimeout(giveUp, longest)]
    signal.addEventListener('abort', interrupt)
    try {
      for (;;) {
        const answer = await Promise.race([work().then(found => ({ found }), untold), stopped])
        if ('found' in answer) {
          if (isAway) progress.note(`The queue at ${queue.place} answers again.`)
          isAway = false
          return answer.found
        }
        why = `: ${messageOf(answer.error)}`
        tell(why)
        if (signal.aborted) throw interrupted()
        await Promise.race([sleep(look * 1000), stopped])
      }
    } finally {
      signal.removeEventListener('abort', interrupt)
      for (const timer of timers) clearTimeout(timer)
    }
  }
  return {
    place: queue.place,
    add: (data, priority) => again(() => queue.add(data, priority)),
    find: id => again(() => queue.find(id)),
    live: () => again(() => queue.live()),
    failed: () => again(() => queue.failed()),
  }
}

const untold = (error: unknown) => ({ error })

/** The error of whoever stopped waiting. */
export function interrupted(): InterruptedError {
  return new InterruptedError('Stopped waiting; workers go on with what they have.', {
    fix: 'Start the same command again to go on.',
  })
}
