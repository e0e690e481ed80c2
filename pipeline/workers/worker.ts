/** `pipeline worker`: takes jobs from the queue and has them done by processes of this machine. */
import { hostname } from 'node:os'
import { UserError } from '../../core/errors.ts'
import { hashValue } from '../../core/hash.ts'
import type { Identity } from '../stages/divide.ts'
import type { Session } from '../stages/session.ts'
import type { StageConfig } from '../stages/stage.ts'
import { must } from './crew.ts'
import { type JobData, readJob } from './job.ts'
import { mustBeSame } from './messages.ts'
import { mustBePlace } from './place.ts'
import type { DoJob, Ending } from './queue.ts'
import { type Host, WorkerGone, WorkerProcess } from './worker-process.ts'

/** What is this machine's own in all jobs. */
export type OwnPlaces = Pick<StageConfig, 'runs-dir' | 'store' | 'parts' | 'threads'>

/** A process that waits for its next job, with the model of its last one still loaded. */
interface Idle {
  readonly process: Host
  /** Engine and precision, of which a process has one. */
  readonly engine: string
  /** The work whose units it has open, and the run it makes; undefined for none. */
  readonly open: Open | undefined
}

interface Open {
  readonly work: string
  readonly identity: Identity
}

/** Does jobs by processes that are kept from one job to the next. */
export class Workshop {
  readonly #own: OwnPlaces
  readonly #session: Session
  readonly #idle: Idle[] = []
  readonly #busy = new Set<Host>()
  readonly #start: () => Host
  #stopped = false

  /** `start` starts a process; tests have others. */
  constructor(own: OwnPlaces, session: Session, start: () => Host = () => new WorkerProcess()) {
    this.#own = own
    this.#session = session
    this.#start = start
  }

  /** Does a job, whatever it is; never throws. */
  readonly doJob: DoJob = async (data, signal): Promise<Ending> => {
    if (this.#stopped) return { kind: 'stopped' }
    let process: Host | undefined
    const stop = () => process?.stop()
    try {
      const job = readJob(data, this.#own)
      await mustBePlace(job.place, this.#own, hostname())
      const engine = hashValue([job.config.engine, job.config.precision, job.config.threads ?? null])
      const taken = this.#take(engine, job.work)
      process = taken.process
      this.#busy.add(process)
      signal.addEventListener('abort', stop)
      if (this.#stopped || signal.aborted) stop()
      const { result, open } = await this.#do(process, taken.open, job)
      this.#idle.push({ process, engine, open })
      return { kind: 'done', result }
    } catch (error) {
      return this.#endingOf(error, process)
    } finally {
      signal.removeEventListener('abort', stop)
      if (process) this.#busy.delete(process)
    }
  }

  /** Asks all that is in work to stop where it can go on; what waits for work is ended. */
  stop(): void {
    this.#stopped = true
    for (const process of this.#busy) process.stop()
    for (const { process } of this.#idle.splice(0)) process.end()
  }

  /** A process that has the work open, else one of the same engine, else a new one. */
  #take(engine: string, work: string): Pick<Idle, 'process' | 'open'> {
    const fit = this.#idle.findIndex(idle => idle.engine === engine && idle.open?.work === work)
    const place = fit >= 0 ? fit : this.#idle.findIndex(idle => idle.engine === engine)
    const [found] = place >= 0 ? this.#idle.splice(place, 1) : []
    if (found) return found
    // One that cannot be used gives its memory back.
    this.#idle.shift()?.process.end()
    return { process: this.#start(), open: undefined }
  }

  async #do(process: Host, before: Open | undefined, job: JobData & { readonly config: StageConfig }) {
    const { stage, config, work, identity, units } = job
    if (job.kind === 'stage') {
      const { result } = must('performed', await process.ask({ kind: 'perform', stage, config, identity }))
      return { result: runsOf(result), open: undefined }
    }
    let open = before
    if (open?.work !== work || job.kind === 'open') {
      const reply = await process.ask({ kind: 'open', stage, config })
      if (reply.kind === 'finished') return { result: { run: reply.run }, open: undefined }
      open = { work, identity: must('opened', reply).identity }
    }
    // Parts of another run would never be what whoever asked waits for.
    if (identity) mustBeSame(stage, identity, open.identity)
    let made = 0
    for (let unit = units?.from ?? 0; unit < (units?.to ?? 0); unit++) {
      const reply = must('worked', await process.ask({ kind: 'work', unit }))
      if (reply.made) made++
    }
    return { result: job.kind === 'open' ? open.identity : { made }, open }
  }

  #endingOf(error: unknown, process: Host | undefined): Ending {
    process?.end()
    if (error instanceof WorkerGone) {
      if (this.#stopped) return { kind: 'stopped' }
      this.#session.progress.note(`A process ${error.message}`)
      return { kind: 'failed', message: `its process ${error.message}`, exitCode: 75 }
    }
    const message = error instanceof Error ? error.message : String(error)
    const exitCode = error instanceof UserError ? error.exitCode : 70
    if (exitCode === 4) return { kind: 'stopped' }
    const fix = error instanceof UserError && error.fix ? ` (${error.fix})` : ''
    this.#session.progress.note(`A job failed: ${message.split('\n')[0]}`)
    return { kind: 'failed', message: message + fix, exitCode }
  }
}

/** What a stage's result says of its runs: ids alone, since whoever asked reads the rest in the store. */
function runsOf(result: unknown): { readonly runs: readonly { readonly id: string; readonly label: string | null }[] } {
  const { run, runs } = result as { run?: string; runs?: readonly { run: string; label: string }[] }
  return { runs: runs?.map(({ run, label }) => ({ id: run, label })) ?? [{ id: run!, label: null }] }
}
