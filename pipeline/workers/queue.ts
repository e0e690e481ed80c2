/**
 * The queue through which workers on many machines are given jobs: BullMQ on Redis or PostgreSQL, both optional. It holds
 * nothing that matters. What is done is in the store of parts and runs; a queue that is emptied or lost costs no result.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { BackoffOptions, Job, JobType, Queue, Worker } from 'bullmq'
import { messageOf, UserError } from '../../core/errors.ts'
import { load } from '../../core/optional.ts'
import { endingConnection } from './ending-connection.ts'
import type { JobData } from './job.ts'
import { placeOf, refusalOf } from './refusals.ts'

/** A job that is in the queue. */
export interface QueuedJob {
  readonly id: string
  readonly data: unknown
  /** What it gave; null before it is done. */
  readonly result: unknown
  /** Why it failed, with what its process wrote last, and the exit code that stands for it; undefined where it did not. */
  readonly failure: { readonly message: string; readonly exitCode: number } | undefined
  readonly attempts: number
}

/** How a job that a worker was given ended. */
export type Ending =
  | { readonly kind: 'done'; readonly result: unknown }
  /** Stopped where it can go on: the job waits again, and no attempt is spent. */
  | { readonly kind: 'stopped' }
  /** Exit code 1 is the user's to mend: trying again gives the same. */
  | { readonly kind: 'failed'; readonly message: string; readonly exitCode: number }

/** What a worker does with a job; `signal` is aborted when the queue has given the job to another one. */
export type DoJob = (data: unknown, signal: AbortSignal) => Promise<Ending>

export interface WorkerSettings {
  /** Jobs at a time. */
  readonly concurrency: number
  /** Seconds without a sign of life after which a worker's jobs are given to others. */
  readonly lock: number
}

export interface JobQueue {
  /** What messages call it: no password is in it. */
  readonly place: string
  add(data: JobData, priority: number): Promise<string>
  find(id: string): Promise<(QueuedJob & { readonly state: string }) | undefined>
  /** Jobs that wait or are being done. */
  live(): Promise<QueuedJob[]>
  failed(): Promise<QueuedJob[]>
  counts(): Promise<Readonly<Record<string, number>>>
  /** Times that jobs of units were begun, by any worker, of those that the queue still knows. */
  begun(): Promise<number>
  /** Lets all failed jobs wait again; how many. */
  retry(): Promise<number>
  /** Removes all jobs that wait; how many. What is being done is ended by its worker. */
  drain(): Promise<number>
  /** Does jobs until `stop` is called, which waits for those in work to end. */
  work(doJob: DoJob, settings: WorkerSettings): { stop(): Promise<void> }
  close(): Promise<void>
}

const waiting: JobType[] = ['waiting', 'prioritized', 'delayed', 'waiting-children']
/** A job that fails is tried so often in all. */
const attempts = 3
const backoff: BackoffOptions = { type: 'exponential', delay: 1000 }
/** Finished jobs are for looking at alone. */
const keep = { removeOnComplete: { age: 7 * 24 * 3600, count: 5000 }, removeOnFail: { count: 5000 } }
/** What both kinds of queues say while a server is away; the library goes on by itself when it is back. */
const quiet = () => {}

/**
 * Opens the queue `pipeline.<kind>` at a `redis://` or `postgres://` address. A `UserError` where the address is neither, a
 * package is missing, or the server would throw jobs away; a `FaultError` where it does not answer.
 */
export async function openQueue(url: string, kind = 'any'): Promise<JobQueue> {
  const name = `pipeline.${kind}`
  const scheme = /^([a-z]+):\/\//.exec(url)?.[1] ?? ''
  if (['redis', 'rediss'].includes(scheme)) return redisQueue(url, name)
  if (['postgres', 'postgresql'].includes(scheme)) return postgresQueue(url, name)
  throw new UserError('A queue is redis://host:port/number or postgres://user@host/database.', {
    fix: 'Give one with --queue, or in PIPELINE_QUEUE where it holds a password.',
  })
}

async function redisQueue(url: string, name: string): Promise<JobQueue> {
  const bullmq = await load('bullmq', 'A queue', () => import('bullmq'))
  const { Redis } = await load('ioredis', 'A queue on Redis', () => import('ioredis'))
  const place = placeOf(url)
  const database = new URL(url).pathname.slice(1)
  if (!/^\d*$/.test(database))
    throw new UserError(`The queue ${place} names a database of Redis that is no number.`, {
      fix: 'Give a number at the end of the address, or none: redis://host:port/0.',
    })
  const connection = endingConnection(new Redis(url, { maxRetriesPerRequest: null, lazyConnect: true }))
  // Why a connection was closed is told beside the call that fails for it.
  let told: unknown
  const hear = (error: unknown) => {
    told = error
  }
  connection.on('error', hear)
  try {
    await connection.connect()
    // By itself a connection to a database that is not there goes on in the first one, whose jobs are somebody else's.
    if (database !== '') await connection.select(Number(database))
    await mustKeepJobs(connection, place)
  } catch (error) {
    connection.disconnect()
    if (error instanceof UserError) throw error
    throw refusalOf(place, told ?? error)
  }
  connection.off('error', hear).on('error', quiet)
  const queue = new bullmq.Queue(name, { connection })
  queue.on('error', quiet)
  return facade(place, bullmq, queue as unknown as Queue, {
    worker: (processor, options) => new bullmq.Worker(name, processor, { connection, ...options }),
    close: async () => connection.disconnect(),
  })
}

/** Redis that removes keys when it is full would lose jobs and say nothing. */
async function mustKeepJobs(connection: { config(...args: string[]): Promise<unknown> }, place: string): Promise<void> {
  let policy: unknown
  try {
    policy = await connection.config('GET', 'maxmemory-policy')
  } catch (error) {
    // A server that does not let its settings be read; the library warns where it sees them.
    if (/unknown command|no permission|NOPERM/i.test(messageOf(error))) return
    throw error
  }
  const value = Array.isArray(policy) ? String(policy[1]) : 'noeviction'
  if (value !== 'noeviction')
    throw new UserError(
      `The Redis at ${place} has maxmemory-policy ${value}: when it is full it throws jobs away unseen.`,
      {
        fix: 'Set maxmemory-policy noeviction there.',
      },
    )
}

async function postgresQueue(url: string, name: string): Promise<JobQueue> {
  const bullmq = await load('bullmq', 'A queue', () => import('bullmq'))
  await load('pg', 'A queue on PostgreSQL', () => import('pg'))
  const place = placeOf(url)
  const connection = { connectionString: url, migrate: true }
  const backend = bullmq.withBackend(bullmq.createPostgresBackend)
  const queue = new backend.Queue(name, { connection })
  queue.on('error', quiet)
  try {
    await queue.waitUntilReady()
  } catch (error) {
    await queue.close().catch(quiet)
    throw refusalOf(place, error)
  }
  return facade(place, bullmq, queue as unknown as Queue, {
    worker: (processor, options) =>
      new backend.Worker(name, processor, { connection, ...options }) as unknown as Worker,
    close: async () => {},
  })
}

type Bullmq = typeof import('bullmq')
type Processor = (job: Job, token?: string, signal?: AbortSignal) => Promise<unknown>

interface Backend {
  worker(processor: Processor, options: Record<string, unknown> & { concurrency: number }): Worker
  close(): Promise<void>
}

function facade(place: string, bullmq: Bullmq, queue: Queue, backend: Backend): JobQueue {
  return {
    place,
    async add(data, priority) {
      const job = await queue.add(data.kind, data, { attempts, backoff, priority, ...keep })
      return job.id!
    },
    async find(id) {
      const job: Job | undefined = await queue.getJob(id)
      const state = await job?.getState()
      // What was read before the job was done has no result yet.
      const since = state === 'completed' || state === 'failed' ? await queue.getJob(id) : job
      return since && state && { ...told(since), state }
    },
    live: async () => (await queue.getJobs([...waiting, 'active'])).filter(Boolean).map(told),
    failed: async () => (await queue.getFailed()).filter(Boolean).map(told),
    counts: async () => queue.getJobCounts(...waiting, 'active', 'failed', 'completed'),
    async begun() {
      const all = await queue.getJobs([...waiting, 'active', 'completed', 'failed'])
      return all.filter(job => job?.name === 'units').reduce((sum, { attemptsStarted }) => sum + attemptsStarted, 0)
    },
    async retry() {
      const count = await queue.getFailedCount()
      await queue.retryJobs({ state: 'failed' })
      return count
    },
    async drain() {
      const before = await queue.getJobs(waiting)
      await queue.drain(true)
      return before.length
    },
    work(doJob, { concurrency, lock }) {
      const stopping = new AbortController()
      const processor: Processor = async (job, token, signal = stopping.signal) => {
        const ending = await doJob(job.data, signal)
        await untilHeard(job, AbortSignal.any([signal, stopping.signal]))
        if (ending.kind === 'done') return ending.result
        if (ending.kind === 'stopped') {
          // Not delayed until a time of this machine's clock, which may differ from that of others.
          await job.moveToWait(token)
          throw new bullmq.WaitingError()
        }
        const message = `${ending.message} [${ending.exitCode}]`
        throw ending.exitCode === 1 ? new bullmq.UnrecoverableError(message) : new Error(message)
      }
      const worker = backend.worker(processor, {
        concurrency,
        lockDuration: lock * 1000,
        stalledInterval: lock * 500,
        // A worker may be killed more than once under the same job, which says nothing about the job.
        maxStalledCount: 1000,
        ...keep,
      })
      worker.on('error', quiet)
      worker.on('lockRenewalFailed', ids => {
        for (const id of ids) worker.cancelJob(id)
      })
      return {
        stop() {
          stopping.abort()
          return worker.close()
        },
      }
    },
    async close() {
      await queue.close()
      await backend.close()
    },
  }
}

/**
 * Waits until the job's server answers, or the signal is aborted: the end of a job that is told to a server which is away is
 * not always told again by the library, and the job would be done a second time when its lock has run out.
 */
async function untilHeard(job: Job, signal: AbortSignal): Promise<void> {
  const aborted = new Promise<boolean>(done => signal.addEventListener('abort', () => done(true), { once: true }))
  while (!signal.aborted) {
    const heard = job.getState().then(
      () => true,
      () => sleep(500, false),
    )
    if (await Promise.race([heard, aborted])) return
  }
}

function told({ id, data, returnvalue, failedReason, attemptsMade }: Job): QueuedJob {
  const found = /^(.*) \[(\d+)\]$/s.exec(failedReason ?? '')
  const failure = found
    ? { message: found[1]!, exitCode: Number(found[2]) }
    : failedReason
      ? { message: failedReason, exitCode: 75 }
      : undefined
  return { id: id!, data, result: returnvalue ?? null, failure, attempts: attemptsMade }
}
