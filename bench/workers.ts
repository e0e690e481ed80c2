/** Benchmark cases as processes, since precision and ops are settings of a process; they take turns round by round. */
import { type ChildProcess, fork } from 'node:child_process'
import { cpus, totalmem } from 'node:os'
import { UserError } from '../core/errors.ts'
import { median } from './noise.ts'

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
  facts(): Promise<Readonly<Record<string, number | string | readonly number[]>>>
  stop(): void
}

/** What a worker sends instead of an answer when it cannot go on and the person can mend that. */
interface Refusal {
  readonly refusal: { readonly message: string; readonly fix?: string | undefined }
}

/** Starts a module that calls `serve`, with settings in its environment, and waits until it is ready. */
export async function startWorker(module: URL, environment: Record<string, string>): Promise<Worker> {
  const child = fork(module, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const answer = answersOf(child)
  const ask = (request: 'facts' | 'run') => {
    child.send(request)
    return answer()
  }
  await answer()
  return {
    facts: async () => (await ask('facts')) as Awaited<ReturnType<Worker['facts']>>,
    time: async () => (await ask('run')) as Timing,
    stop: () => {
      if (child.connected) child.disconnect()
    },
  }
}

/** The next message of a process, each time it is called; one listener of each kind for all of them. */
function answersOf(child: ChildProcess): () => Promise<unknown> {
  let waiting: { done(message: unknown): void; fail(error: Error): void } | undefined
  let problem: Error | undefined
  child.on('message', message => {
    const refusal = (message as Partial<Refusal>).refusal
    if (refusal) problem = new UserError(refusal.message, refusal.fix ? { fix: refusal.fix } : {})
    if (problem) waiting?.fail(problem)
    else waiting?.done(message)
  })
  child.on('exit', code => {
    problem ??= new Error(`A benchmark's process ended early with code ${code}.`)
    waiting?.fail(problem)
  })
  return () =>
    new Promise((done, fail) => {
      if (problem) fail(problem)
      waiting = { done, fail }
    })
}

/**
 * The worker's side: prepares, says that it is ready, then gives its facts, or runs and times `step`, whenever asked. A
 * `UserError` while it prepares is told to the person who started the benchmark.
 */
export async function serve(
  prepare: () => Promise<{ facts(): Awaited<ReturnType<Worker['facts']>>; step(): void }>,
): Promise<void> {
  try {
    const { facts, step } = await prepare()
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
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    process.send!({ refusal: { message: error.message, fix: error.fix } } satisfies Refusal)
  }
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
