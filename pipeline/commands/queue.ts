/** `pipeline queue …`: what waits, what failed, and how to go on with it. */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { columns } from '../../core/text.ts'
import { defineCommand } from '../command.ts'
import { QueueConfig } from '../stages/file.ts'
import { type JobQueue, openQueue, type QueuedJob } from '../workers/queue.ts'

/** The queue that settings or the environment name. */
export async function queueAt({
  queue = process.env.PIPELINE_QUEUE,
  machines,
}: {
  readonly queue?: string | undefined
  readonly machines: string
}): Promise<JobQueue> {
  if (!queue)
    throw new UserError('No queue is named.', {
      fix: 'Give --queue redis://host:port or postgres://user@host/database, or set PIPELINE_QUEUE.',
    })
  return openQueue(queue, machines)
}

const config = z.strictObject({ queue: QueueConfig.queue, machines: QueueConfig.machines })

async function within<T>(settings: z.output<typeof config>, work: (queue: JobQueue) => Promise<T>): Promise<T> {
  const queue = await queueAt(settings)
  try {
    return await work(queue)
  } finally {
    await queue.close()
  }
}

/** What a job is, in a few words. */
function nameOf({ data }: QueuedJob): string {
  const {
    stage = '?',
    kind = '?',
    units,
  } = data as { stage?: string; kind?: string; units?: { from: number; to: number } | null }
  if (kind !== 'units' || !units) return `${stage}, ${kind === 'open' ? 'dividing it' : 'the run'}`
  return units.to - units.from === 1
    ? `${stage}, unit ${units.from}`
    : `${stage}, units ${units.from} to ${units.to - 1}`
}

export const status = defineCommand({
  about: 'Shows how many jobs wait, are in work, failed and are done, and why jobs failed.',
  examples: ['pipeline queue status --queue redis://localhost:6379'],
  config,
  run: settings =>
    within(settings, async queue => {
      const counts = await queue.counts()
      const failed = (await queue.failed()).map(job => ({ id: job.id, job: nameOf(job), ...job.failure }))
      const of = (...names: string[]) => names.reduce((sum, name) => sum + (counts[name] ?? 0), 0)
      const figures = {
        waiting: of('waiting', 'prioritized', 'delayed', 'waiting-children'),
        active: of('active'),
        failed: of('failed'),
        completed: of('completed'),
      }
      const lines = [
        queue.place,
        ...columns(
          [
            ['waiting', String(figures.waiting)],
            ['in work', String(figures.active)],
            ['failed', String(figures.failed)],
            ['done', String(figures.completed)],
          ],
          [1],
        ).map(line => `  ${line}`),
        ...failed.map(({ job, message = '' }) => `${job}: ${message.split('\n')[0]}`),
      ]
      return { text: lines.join('\n'), json: { queue: queue.place, ...figures, failures: failed } }
    }),
})

export const retry = defineCommand({
  about: 'Lets failed jobs wait again, after what made them fail was mended.',
  examples: ['pipeline queue retry'],
  config,
  run: settings =>
    within(settings, async queue => {
      const jobs = await queue.retry()
      return { text: `${jobs} failed ${jobs === 1 ? 'job waits' : 'jobs wait'} again.`, json: { jobs } }
    }),
})

export const drain = defineCommand({
  about:
    'Removes all jobs that wait. Those in work are ended by their workers, and what is done stays done: the same `pipeline run` adds what is missing again.',
  examples: ['pipeline queue drain'],
  config,
  run: settings =>
    within(settings, async queue => {
      const jobs = await queue.drain()
      return { text: `${jobs} waiting ${jobs === 1 ? 'job was' : 'jobs were'} removed.`, json: { jobs } }
    }),
})
