/** `pipeline worker`: does jobs of a queue until it is stopped. */
import { z } from 'zod'
import { defineCommand } from '../command.ts'
import { ProcessConfig, SharedConfig, SharingConfig, StoreConfig } from '../stages/common.ts'
import { QueueConfig } from '../stages/file.ts'
import { queueAt } from './queue.ts'

export default defineCommand({
  about:
    'Takes jobs from a queue and has them done by processes of this machine, until it is stopped. Runs and parts are written below its own --runs-dir and --parts alone, which all machines of a queue share, or where they do not, in the --store that they share. Stopped by Ctrl-C or SIGTERM, it hands back what it has in work; killed, its jobs are given to others after --lock seconds.',
  examples: [
    'pipeline worker --queue redis://queue.example:6379 --runs-dir /shared/runs',
    'pipeline worker --queue redis://queue.example:6379 --store s3://bucket/project',
    'PIPELINE_QUEUE=postgres://me:secret@db/queue pipeline worker --concurrency 2 --threads 8',
  ],
  config: z.strictObject({
    queue: QueueConfig.queue,
    machines: QueueConfig.machines,
    concurrency: z.int().min(1).max(64).default(1).describe('Jobs at a time, each by a process of its own'),
    threads: ProcessConfig.threads,
    lock: z
      .int()
      .min(2)
      .default(120)
      .describe('Seconds without a sign of life after which jobs of a worker are given to others'),
    'exit-when-idle': z
      .int()
      .min(1)
      .optional()
      .describe('End after so many seconds in which the queue had no job (default: go on for ever)'),
    parts: SharingConfig.parts,
    ...StoreConfig,
    ...SharedConfig,
  }),
  async run(config, session) {
    const { Workshop } = await import('../workers/worker.ts')
    const { untilStopped } = await import('../workers/until-stopped.ts')
    const queue = await queueAt(config)
    const workshop = new Workshop(
      { 'runs-dir': config['runs-dir'], store: config.store, parts: config.parts, threads: config.threads },
      session,
    )
    let jobs = 0
    const counted: typeof workshop.doJob = async (data, signal) => {
      jobs++
      return workshop.doJob(data, signal)
    }
    const working = queue.work(counted, { concurrency: config.concurrency, lock: config.lock })
    session.progress.note(`Waiting for jobs of ${queue.place}, ${config.concurrency} at a time.`)
    await untilStopped(queue, session.signal, config['exit-when-idle'])
    workshop.stop()
    await working.stop()
    await queue.close()
    return { text: `Stopped after ${jobs} ${jobs === 1 ? 'job' : 'jobs'}.`, json: { jobs } }
  },
})
