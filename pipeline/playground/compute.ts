/**
 * Computes for the server in a process of its own, one task at a time. Of tasks that wait, the newest takes the place of an older
 * one; a task whose asker is gone, or that takes too long, is stopped, and where it does not stop the process is ended and the
 * next task gets another. So neither a long task nor a crash of the engine keeps the server from answering.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { FaultError, NotThereError, UserError } from '../../core/errors.ts'
import { type Compute, SupersededError, type TaskName, type Tasks } from '../../dashboard/server/compute.ts'
import type { FromProcess, ToProcess } from './messages.ts'

export interface ComputeOptions {
  /** Folder of runs. */
  readonly directory: string
  /** Engine, precision and threads. */
  readonly engine: object
  /** Milliseconds that a task may take. */
  readonly patience?: number
  /** The same for the first one about an SAE, for which model and SAE are loaded. */
  readonly firstPatience?: number
  /** What starts the process; for tests. */
  readonly script?: string
}

interface Waiting {
  readonly task: TaskName
  readonly asked: unknown
  readonly signal: AbortSignal
  done(given: never): void
  fail(error: unknown): void
}

const here = fileURLToPath(import.meta.url)
const ownScript = join(dirname(here), `process${extname(here)}`)

/** Milliseconds that a task which was told to stop may go on. */
const grace = 2000

/** Starts nothing before the first task. */
export function playgroundCompute(options: ComputeOptions): Compute {
  const { directory, engine, patience = 10_000, firstPatience = 120_000, script = ownScript } = options
  let child: ChildProcess | undefined
  /** What the process has loaded already, by the SAEs that were asked about. */
  const warm = new Set<string>()
  let running: Waiting | undefined
  let waiting: Waiting | undefined
  let next = 0
  let closed = false

  const open = (): ChildProcess => {
    if (child) return child
    const loader = createRequire(import.meta.url)
    const execArgv = extname(script) === '.ts' ? ['--import', pathToFileURL(loader.resolve('tsx')).href] : []
    child = fork(script, [directory, JSON.stringify(engine)], {
      execArgv,
      serialization: 'advanced',
      stdio: ['ignore', 2, 2, 'ipc'],
    })
    warm.clear()
    return child
  }
  const end = () => {
    child?.kill('SIGKILL')
    child = undefined
  }

  /** Does one task in the process, whatever becomes of it. */
  const perform = (work: Waiting): Promise<void> =>
    new Promise(resolve => {
      const own = open()
      const id = next++
      let timer: NodeJS.Timeout
      let last: NodeJS.Timeout | undefined
      const finish = (settle: () => void) => {
        clearTimeout(timer)
        clearTimeout(last)
        own.off('message', onMessage)
        own.off('exit', onExit)
        own.off('error', onError)
        work.signal.removeEventListener('abort', stop)
        settle()
        resolve()
      }
      const onMessage = (message: FromProcess) => {
        if (message.id !== id) return
        if ('given' in message) warm.add(saesOf(work.asked))
        finish(() => ('given' in message ? work.done(message.given as never) : work.fail(errorOf(message.problem))))
      }
      const onExit = (code: number | null, by: string | null) => {
        if (child === own) child = undefined
        finish(() =>
          work.fail(
            new FaultError(`What computes for this server ended (${by ?? `exit code ${code}`}).`, {
              fix: 'Ask again: another is started.',
            }),
          ),
        )
      }
      // It cannot be started, or not be told anything.
      const onError = (error: Error) => {
        end()
        finish(() =>
          work.fail(
            new FaultError(`What computes for this server cannot be asked: ${error.message}.`, { cause: error }),
          ),
        )
      }
      const stop = () => {
        own.send({ cancel: id } satisfies ToProcess)
        last ??= setTimeout(() => {
          end()
        }, grace)
      }
      own.on('message', onMessage)
      own.on('exit', onExit)
      own.on('error', onError)
      work.signal.addEventListener('abort', stop)
      const limit = warm.has(saesOf(work.asked)) ? patience : firstPatience
      timer = setTimeout(() => {
        end()
        finish(() =>
          work.fail(
            new UserError(`It took more than ${limit / 1000} seconds and was ended.`, {
              fix: 'Ask about a shorter text, or fewer edits and controls.',
            }),
          ),
        )
      }, limit)
      try {
        own.send({ id, task: work.task, asked: work.asked } satisfies ToProcess)
      } catch (error) {
        return onError(error as Error)
      }
      if (work.signal.aborted) stop()
    })

  const turn = async () => {
    while (!running && waiting) {
      running = waiting
      waiting = undefined
      if (running.signal.aborted) running.fail(new UserError('The asker is gone.'))
      else await perform(running)
      running = undefined
    }
  }

  return {
    do<Name extends TaskName>(task: Name, asked: Tasks[Name]['asked'], signal: AbortSignal) {
      return new Promise<Tasks[Name]['given']>((done, fail) => {
        if (closed) return fail(new FaultError('The server is stopping.'))
        waiting?.fail(new SupersededError('A newer question took the place of this one.', { fix: 'Ask again.' }))
        waiting = { task, asked, signal, done: done as (given: never) => void, fail }
        void turn()
      })
    },
    async close() {
      closed = true
      waiting?.fail(new FaultError('The server is stopping.'))
      waiting = undefined
      end()
    },
  }
}

/** The SAEs that a task is about. */
function saesOf(asked: unknown): string {
  const { sae, a, b } = asked as { sae?: string; a?: string; b?: string }
  return [sae, a, b].join()
}

/** What the process says, as the error that it was there. */
function errorOf({ kind, message, fix }: Extract<FromProcess, { problem: unknown }>['problem']): Error {
  if (kind === 'bug') return new Error(message)
  const options = fix === undefined ? {} : { fix }
  return kind === 'not-there' ? new NotThereError(message, options) : new UserError(message, options)
}
