/** How long a worker goes on. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { JobQueue } from './queue.ts'

/** Ends when the signal is aborted, or when the queue has had no job, waiting or in work, for `idle` seconds. */
export async function untilStopped(queue: Pick<JobQueue, 'live'>, signal: AbortSignal, idle?: number): Promise<void> {
  let since = performance.now()
  while (!signal.aborted) {
    await sleep(idle === undefined ? 3_600_000 : 500, undefined, { signal }).catch(() => {})
    if (idle === undefined || signal.aborted) continue
    // A server that is away for a moment is not an empty queue.
    const live = await queue.live().catch(() => undefined)
    if (live === undefined || live.length > 0) since = performance.now()
    else if (performance.now() - since >= idle * 1000) return
  }
}
