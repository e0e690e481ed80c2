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
  /** Figures of the case as a whole. */
  readonly facts: Readonly<Record<string, number | string>>
  stop(): void
}

/** Starts a module that calls `serve`, with settings in its environment, and waits until it is ready. */
export async function startWorker(module: URL, environment: Record<string, string>): Promise<Worker> {
  const child = fork(module, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const facts = (await answer(child)) as Worker['facts']
  return {
    facts,
    async time() {
      child.send('run')
      return (await answer(child)) as Timing
    },
    stop: () => child.disconnect(),
  }
}

/** The worker's side: tells its facts, then runs and times `step` whenever asked. */
export function serve(facts: Worker['facts'], step: () => void): void {
  process.on('message', () => {
    const start = performance.now()
    const used = process.cpuUsage()
    step()
    const seconds = (performance.now() - start) / 1000
    const { user, system } = process.cpuUsage(used)
    process.send!({ seconds, processorSeconds: (user + system) / 1e6 } satisfies Timing)
  })
  process.send!(facts)
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
  const stopped = once(child, 'exit').then(([code]) => {
    throw new Error(`A benchmark's process ended early with code ${code}.`)
  })
  const [message] = await Promise.race([once(child, 'message'), stopped])
  stopped.catch(() => {})
  return message
}
