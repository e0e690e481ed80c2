/** A worker process, seen by the one that started it. */
import { type ChildProcess, fork } from 'node:child_process'
import { createRequire } from 'node:module'
import { extname } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Reply, Request } from './messages.ts'

/** Letters of what a worker process wrote last that are kept, to be shown when it ends unasked. */
const tailLetters = 2000

/** A worker process ended although it was asked for something. */
export class WorkerGone extends Error {}

/** Whoever does what is asked for, one request at a time; an `ask` throws a `WorkerGone` where it ends before it answers. */
export interface Host {
  ask(request: Request): Promise<Reply>
  /** Asks it to stop where the work can go on later. */
  stop(): void
  /** Ends it. */
  end(): void
}

export class WorkerProcess implements Host {
  readonly #child: ChildProcess
  #tail = ''
  #ended: string | undefined
  #waiting: { done(reply: Reply): void; fail(error: Error): void } | undefined

  /** Starts one; `environment` is put over this process's own. */
  constructor(environment: Readonly<Record<string, string>> = {}) {
    const here = fileURLToPath(import.meta.url)
    const script = here.replace(/worker-process(\.\w+)$/, 'host$1')
    // What Node needs to run the sources as they are.
    const loader = createRequire(import.meta.url)
    const execArgv = extname(here) === '.ts' ? ['--import', pathToFileURL(loader.resolve('tsx')).href] : []
    this.#child = fork(script, [], {
      execArgv,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#tail = (this.#tail + text).slice(-tailLetters)
    })
    this.#child.on('message', message => {
      this.#waiting?.done(message as Reply)
      this.#waiting = undefined
    })
    const gone = (how: string) => {
      this.#ended = how
      this.#waiting?.fail(new WorkerGone(how))
      this.#waiting = undefined
    }
    this.#child.on('error', error => gone(error.message))
    // After `close` all that it wrote has been read, so that the tail is whole.
    this.#child.on('close', (code, signal) =>
      gone([`ended with ${signal ?? `code ${code}`}`, this.#tail.trim()].filter(Boolean).join(': ')),
    )
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  ask(request: Request): Promise<Reply> {
    return new Promise((done, fail) => {
      if (this.#ended !== undefined) return fail(new WorkerGone(this.#ended))
      this.#waiting = { done, fail }
      this.#child.send(request, error => {
        // Where the process is gone, its end tells more than that it could not be written to.
        if (error && this.#child.exitCode === null && this.#child.signalCode === null && this.#child.connected)
          fail(error)
      })
    })
  }

  stop(): void {
    this.#child.kill('SIGTERM')
  }

  end(): void {
    this.#child.kill('SIGKILL')
  }
}
