/** The tokenizers library in a process of its own, which is started when it is needed and ended when it is not. */
import { type ChildProcess, fork } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, extname, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { InterruptedError, messageOf } from '../../core/errors.ts'
import { hashValue } from '../../core/hash.ts'
import type { Reply, Request } from './messages.ts'

/** The process ends after so long without a question. */
const idleMilliseconds = 5000

/** The library ended its process. */
export class LibraryCrash extends Error {}

/** Those that somebody holds or that answered a while ago, by hash of tokenizer and threads. */
const living = new Map<string, WeakRef<TokenizerProcess>>()

/** One tokenizer; questions are answered one after the other. */
export class TokenizerProcess {
  /** The process of this tokenizer, which others may ask as well: a start takes longer than most texts. */
  static of(json: string, threads?: number): TokenizerProcess {
    const key = hashValue({ json, threads: threads ?? null })
    for (const [other, one] of living) if (!one.deref()) living.delete(other)
    const known = living.get(key)?.deref()
    if (known) return known
    const made = new TokenizerProcess(json, threads)
    living.set(key, new WeakRef(made))
    return made
  }

  private readonly json: string
  private readonly threads: number | undefined
  private child: ChildProcess | undefined
  private turn: Promise<unknown> = Promise.resolve()
  private idle: NodeJS.Timeout | undefined
  /** The end of what the process wrote to stderr. */
  private complaint = ''

  /** `json` is the content of a `tokenizer.json`; `threads` those of the library, by default as many as the machine has. */
  private constructor(json: string, threads?: number) {
    this.json = json
    this.threads = threads
  }

  /**
   * The library's answer. Throws a `LibraryCrash` where it ended its process (the next question starts it again), and an
   * `InterruptedError`, at once, when the signal is aborted.
   */
  ask(request: Request, signal?: AbortSignal): Promise<Reply> {
    const answer = this.turn.then(() => this.exchange(request, signal))
    this.turn = answer.catch(() => {})
    return answer
  }

  private async exchange(request: Request, signal: AbortSignal | undefined): Promise<Reply> {
    clearTimeout(this.idle)
    if (!this.child) {
      this.child = this.start()
      if (request.kind !== 'load') {
        const loaded = await this.post(this.child, { kind: 'load', json: this.json }, signal)
        if (loaded.kind !== 'loaded') return loaded
      }
    }
    const reply = await this.post(this.child, request, signal)
    this.idle = setTimeout(() => this.end(), idleMilliseconds).unref()
    return reply
  }

  private start(): ChildProcess {
    const self = fileURLToPath(import.meta.url)
    const script = resolve(dirname(self), `child${extname(self)}`)
    // What Node needs to run the sources as they are.
    const loader = createRequire(import.meta.url)
    const execArgv = script.endsWith('.ts') ? ['--import', pathToFileURL(loader.resolve('tsx')).href] : []
    // What the library's thread pool (rayon) and the library itself read.
    const pool = { RAYON_NUM_THREADS: String(Math.max(1, this.threads ?? 1)), TOKENIZERS_PARALLELISM: 'true' }
    const env = { ...process.env, ...(this.threads !== undefined && pool) }
    const child = fork(script, [], {
      env,
      execArgv,
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.complaint = ''
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.complaint = (this.complaint + text).slice(-4000)
    })
    return child
  }

  private end(): void {
    this.child?.kill('SIGKILL')
    this.child = undefined
  }

  private post(child: ChildProcess, request: Request, signal: AbortSignal | undefined): Promise<Reply> {
    const hold = (held: boolean) => {
      // A process that nobody waits for does not keep this one from ending.
      for (const handle of [child, child.channel, child.stderr as unknown as { ref(): void; unref(): void } | null])
        if (handle) held ? handle.ref() : handle.unref()
    }
    return new Promise<Reply>((done, fail) => {
      const settle = (finish: () => void) => {
        child.removeAllListeners('message').removeAllListeners('close').removeAllListeners('error')
        signal?.removeEventListener('abort', stop)
        hold(false)
        finish()
      }
      const lose = (error: Error) =>
        settle(() => {
          this.end()
          fail(error)
        })
      const interrupted = () =>
        new InterruptedError('Reading the text was interrupted.', { fix: 'Start it again to go on.' })
      const stop = () => lose(interrupted())
      child.once('message', (reply: Reply) => settle(() => done(reply)))
      child.once('error', error => lose(new LibraryCrash(messageOf(error))))
      // Not `exit`: by `close` all of stderr has come.
      child.once('close', (code, by) => {
        if (by === 'SIGINT' || by === 'SIGTERM') lose(interrupted())
        else lose(new LibraryCrash(this.why(code, by)))
      })
      signal?.addEventListener('abort', stop)
      hold(true)
      if (signal?.aborted) stop()
      else child.send(request, error => error && lose(new LibraryCrash(messageOf(error))))
    })
  }

  /** What a Rust panic or Node said, in a line. */
  private why(code: number | null, by: NodeJS.Signals | null): string {
    const lines = this.complaint.split('\n').map(line => line.trim())
    const panic = lines.findIndex(line => line.includes('panicked at'))
    const told = panic >= 0 ? lines[panic + 1] : lines.find(line => /^\w*Error\b|^fatal/.test(line))
    if (told) return told.replace(/\.$/, '')
    return by === 'SIGKILL' ? 'its process was killed, which happens where memory runs out' : `exit code ${code ?? by}`
  }
}
