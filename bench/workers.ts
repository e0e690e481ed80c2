/** Benchmark cases as processes, since precision and ops are settings of a process; they take turns round by round. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { cpus, totalmem } from 'node:os'

/** Seconds by the clock, and seconds of processors, which other processes on the machine disturb less. */
export interface Timing {
  readonly seconds: number
  readonly processorSeconds: number
}

/** A case that is ready to be timed. */
export interface Worker {
  /** One repetition. */
  time(): Promise<Timing>
  /** Figures of the case as a whole; rates are the best that it has measured so far, and it measures again when asked. */
  facts(): Promise<Readonly<Record<string, number | string>>>
  stop(): void
}

/** Starts a module that calls `serve`, with settings in its environment, and waits until it is ready. */
export async function startWorker(module: URL, environment: Record<string, string>): Promise<Worker> {
  const child = fork(module, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  await answer(child)
  return {
    async facts() {
      child.send('facts')
      return (await answer(child)) as Awaited<ReturnType<Worker['facts']>>
    },
    async time() {
      child.send('run')
      return (await answer(child)) as Timing
    },
    stop: () => child.disconnect(),
  }
}

/** The worker's side: says that it is ready, then gives its facts, or runs and times `step`, whenever asked. */
export function serve(facts: () => Awaited<ReturnType<Worker['facts']>>, step: () => void): void {
  process.on('message', request => {
    if (request === 'facts') {
      process.send!(facts())
      return
    }
    const start = performance.now()
    const used = process.cpuUsage()
    step()
    const seconds = (performance.now() - start) / 1000
    const { user, system } = process.cpuUsage(used)
    process.send!({ seconds, processorSeconds: (user + system) / 1e6 } satisfies Timing)
  })
  process.send!('ready')
}

/** A rate that is measured anew at each call and given as the best so far: other work on the machine only lowers it. */
export function bestRate(measure: () => number): () => number {
  let best = 0
  return () => {
    best = Math.max(best, measure())
    return best
  }
}

/** Medians of each worker over interleaved rounds; the first round warms up and is not counted. */
export async function timeInTurns(workers: readonly Worker[], rounds: number): Promise<Timing[]> {
  const timings: Timing[][] = workers.map(() => [])
  for (let round = 0; round <= rounds; round++)
    for (const [i, worker] of workers.entries()) {
      const timing = await worker.time()
      if (round > 0) timings[i]!.push(timing)
    }
  const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!
  return timings.map(all => ({
    seconds: median(all.map(({ seconds }) => seconds)),
    processorSeconds: median(all.map(({ processorSeconds }) => processorSeconds)),
  }))
}

/** The processor, its cores and its memory, in one line. */
export function machine(): string {
  const all = cpus()
  return `${all[0]?.model ?? process.arch}, ${all.length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`
}

async function answer(child: ChildProcess): Promise<unknown> {
  // Both are given up when one has come, so that no listener stays.
  const done = new AbortController()
  const { signal } = done
  const stopped = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`A benchmark's process ended early with code ${code}.`)
  })
  const told = once(child, 'message', { signal })
  try {
    const [message] = await Promise.race([told, stopped])
    return message
  } finally {
    for (const waiting of [stopped, told]) waiting.catch(() => {})
    done.abort()
  }
}
