/** A queue in this process, for tests of what asks and of what works: no server, no clock, and no memory where a test wants that. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { JobQueue, QueuedJob } from './queue.ts'

interface Kept extends Omit<QueuedJob, 'result' | 'failure' | 'attempts'> {
  result: unknown
  failure: QueuedJob['failure']
  attempts: number
  begun: number
  state: 'waiting' | 'active' | 'completed' | 'failed'
  readonly priority: number
}

/** `lose` is what a server does whose data is gone; `jobs` is all that it holds. */
export interface MemoryQueue extends JobQueue {
  readonly jobs: Map<string, Kept>
  lose(): void
}

export function memoryQueue(): MemoryQueue {
  const jobs = new Map<string, Kept>()
  let added = 0
  const of = (...states: Kept['state'][]) => [...jobs.values()].filter(({ state }) => states.includes(state))
  const count = (state: Kept['state']) => of(state).length
  return {
    place: 'memory',
    jobs,
    lose: () => jobs.clear(),
    async add(data, priority) {
      const id = `job-${added++}`
      const fresh = { result: null, failure: undefined, attempts: 0, begun: 0, state: 'waiting' } as const
      jobs.set(id, { id, data: structuredClone(data), priority, ...fresh })
      return id
    },
    find: async id => jobs.get(id),
    live: async () => of('waiting', 'active'),
    failed: async () => of('failed'),
    counts: async () => ({ waiting: count('waiting'), active: count('active'), failed: count('failed') }),
    begun: async () => [...jobs.values()].reduce((sum, { begun }) => sum + begun, 0),
    async retry() {
      const failed = of('failed')
      for (const job of failed) Object.assign(job, { state: 'waiting', attempts: 0, failure: undefined })
      return failed.length
    },
    async drain() {
      const waiting = of('waiting')
      for (const { id } of waiting) jobs.delete(id)
      return waiting.length
    },
    work(doJob, { concurrency }) {
      let stopped = false
      const place = async () => {
        while (!stopped) {
          const [job] = of('waiting').sort((a, b) => a.priority - b.priority)
          if (!job) {
            await sleep(2)
            continue
          }
          job.state = 'active'
          job.begun++
          const ending = await doJob(job.data, new AbortController().signal)
          if (ending.kind === 'stopped') job.state = 'waiting'
          else if (ending.kind === 'done') Object.assign(job, { state: 'completed', result: ending.result })
          else {
            job.attempts++
            const { message, exitCode } = ending
            const forGood = exitCode === 1 || job.attempts === 3
            Object.assign(job, { state: forGood ? 'failed' : 'waiting', failure: { message, exitCode } })
          }
        }
      }
      const places = Array.from({ length: concurrency }, place)
      return {
        async stop() {
          stopped = true
          await Promise.all(places)
        },
      }
    },
    async close() {},
  }
}
