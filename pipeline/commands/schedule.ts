/** `pipeline schedule …`: pipeline files that are done at set times. */
import { resolve } from 'node:path'
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { columns } from '../../core/text.ts'
import { type CommandSession, defineCommand } from '../command.ts'
import { Book, type Line } from '../schedule/book.ts'
import { exportAs, exportKinds } from '../schedule/export/index.ts'
import { runScheduler } from '../schedule/scheduler.ts'
import { type Desk, doNow, readScheduled } from '../schedule/tick.ts'
import { openStore, StoreConfig } from '../stages/common.ts'
import { nextDue } from '../stages/schedule.ts'

const Named = z.strictObject({ name: z.string().describe('Name of the schedule'), ...StoreConfig })

function deskOf(config: { readonly 'runs-dir'?: string | undefined }, session: CommandSession): Desk {
  const store = openStore(config)
  return { book: new Book(store.directory), store, session }
}

/** The schedule that a command names, and the desk it is done at; a `UserError` where there is none of that name. */
async function named(config: z.output<typeof Named>, session: CommandSession) {
  const desk = deskOf(config, session)
  return { desk, entry: await desk.book.entry(config.name) }
}

export const add = defineCommand({
  about:
    'Takes a pipeline file with a section schedule into the book of schedules beside the runs. The file is read anew each time, so that what is changed in it holds from then on. `pipeline schedule start` does what is due, or cron, systemd, Kubernetes or Slurm, for which `export` writes what they need.',
  examples: ['pipeline schedule add nightly.yaml'],
  operands: ['file'],
  config: z.strictObject({
    file: z.string().describe('Pipeline file with a section schedule'),
    folder: z.string().optional().describe('Folder from which paths in the file are (default: this one)'),
    ...StoreConfig,
  }),
  async run(config, session) {
    const file = resolve(config.file)
    const { name, schedule } = await readScheduled(file)
    const { book } = deskOf(config, session)
    const now = session.now()
    const folder = resolve(config.folder ?? '.')
    const state = await book.add({ schema: 1, name, file, folder, added: now.toISOString(), schedule })
    const next = nextDue(schedule, now)?.toISOString() ?? null
    const text = `${name}: ${state === 'added' ? 'added' : 'is there already'}, next due ${next ?? 'never'}`
    return {
      text: `${text}\nNext: pipeline schedule start, or pipeline schedule export ${name} --systemd`,
      json: { name, file, state, next },
    }
  },
})

export const list = defineCommand({
  about: 'Lists all schedules: when each is due next, and what came of it last.',
  examples: ['pipeline schedule list'],
  config: z.strictObject(StoreConfig),
  async run(config, session) {
    const { book } = deskOf(config, session)
    const rows = []
    for (const name of await book.names()) {
      const entry = await book.entry(name)
      const last = (await book.journal(name)).at(-1)
      const read = await readScheduled(entry.file).then(
        ({ schedule }) => ({ schedule }),
        error => {
          if (error instanceof UserError) return { problem: error.message }
          throw error
        },
      )
      const next = 'schedule' in read ? nextDue(read.schedule, session.now()) : undefined
      const problem = 'problem' in read ? read.problem : null
      rows.push({
        name,
        cron: 'schedule' in read ? read.schedule.cron : null,
        timezone: 'schedule' in read ? read.schedule.timezone : null,
        next: next?.toISOString() ?? null,
        last: last ? { due: last.due, verdict: last.verdict, unchanged: last.unchanged } : null,
        doing: (await book.tick(name))?.due ?? null,
        problem,
      })
    }
    const lines = columns([
      ['schedule', 'next due, UTC', 'last due, UTC', 'verdict'],
      ...rows.map(({ name, next, last, doing, problem }) => [
        name,
        problem ? 'cannot be read' : minute(next),
        minute(doing ?? last?.due ?? null),
        doing ? 'begun' : last ? `${last.verdict}${last.unchanged ? ', unchanged' : ''}` : '',
      ]),
    ])
    const problems = rows.flatMap(({ name, problem }) => (problem ? [`${name}: ${problem}`] : []))
    const text = rows.length === 0 ? ['There are no schedules.'] : [...lines, ...problems]
    return { text: text.join('\n'), json: { schedules: rows } }
  },
})

export const remove = defineCommand({
  about: 'Takes a schedule and its journal out of the book. Runs stay.',
  examples: ['pipeline schedule remove nightly'],
  operands: ['name'],
  config: Named,
  async run(config, session) {
    await deskOf(config, session).book.remove(config.name)
    return { text: `${config.name} is removed; its runs are kept.`, json: { removed: config.name } }
  },
})

export const runNow = defineCommand({
  about:
    'Does a schedule now, as if it were due: what is unchanged is skipped, the runs are compared with the last accepted ones, somebody is told where it went wrong, and the journal has a line more. It is what cron, systemd, Kubernetes and Slurm start. Exit codes are those of `pipeline run`; 75 where the time before is still being done.',
  examples: ['pipeline schedule run-now nightly'],
  operands: ['name'],
  config: Named,
  async run(config, session) {
    const { desk, entry } = await named(config, session)
    const line = await doNow(desk, entry)
    const exitCode = line.verdict === 'skipped' ? 75 : (line.exitCode ?? 70)
    return { text: lineText(line), json: line, exitCode }
  },
})

export const start = defineCommand({
  about:
    'Does all schedules as their times come, until it is stopped. It may be ended in any way: started again, it goes on with what was begun, and does once, or skips, what passed meanwhile (`misfire`). One of a store is enough; of two, one does nothing.',
  examples: ['pipeline schedule start --runs-dir /shared/runs'],
  config: z.strictObject(StoreConfig),
  async run(config, session) {
    const desk = deskOf(config, session)
    const names = await desk.book.names()
    session.progress.note(`Doing ${names.join(', ') || 'no schedule yet'} as they come due.`)
    for (const name of names) {
      const webhook = (await desk.book.entry(name)).schedule?.onFailure.webhook
      if (webhook !== undefined && !process.env[webhook])
        session.progress.note(
          `${name}: its onFailure.webhook names ${webhook}, which is not set here: nobody is told by it.`,
        )
    }
    await runScheduler(desk)
    return { text: 'Stopped; started again, it goes on.', json: { stopped: true } }
  },
})

export const journal = defineCommand({
  about: 'Shows what came of each time of a schedule, oldest first.',
  examples: ['pipeline schedule journal nightly'],
  operands: ['name'],
  config: Named,
  async run(config, session) {
    const { desk, entry } = await named(config, session)
    const lines = await desk.book.journal(entry.name)
    return { text: lines.map(lineText).join('\n') || 'Nothing was due yet.', json: { lines } }
  },
})

export const exported = defineCommand({
  about:
    'Writes what another system needs to do a schedule: a systemd service and timer, a line of crontab, a Kubernetes CronJob, or a Slurm script that submits the stages as jobs.',
  examples: [
    'pipeline schedule export nightly --systemd',
    'pipeline schedule export nightly --k8s --image registry.example/pipeline:1 --claim runs',
    'pipeline schedule export nightly --slurm --shares 32',
  ],
  operands: ['name'],
  config: z.strictObject({
    name: Named.shape.name,
    systemd: z.boolean().default(false).describe('Write a service and a timer of systemd'),
    cron: z.boolean().default(false).describe('Write a line of crontab'),
    k8s: z.boolean().default(false).describe('Write a CronJob of Kubernetes, and Indexed Jobs for shares'),
    slurm: z.boolean().default(false).describe('Write a script that submits the stages to Slurm, shares as arrays'),
    command: z.string().default('pipeline').describe('How this program is called there'),
    image: z.string().optional().describe('k8s: image that has this program'),
    claim: z.string().optional().describe('k8s: PersistentVolumeClaim that holds runs, model and text'),
    shares: z.int().min(1).default(8).describe('slurm, k8s: shares of the stages that can be shared'),
    ...StoreConfig,
  }),
  async run(config, session) {
    const { desk, entry } = await named(config, session)
    const file = await readScheduled(entry.file)
    const kinds = exportKinds.filter(kind => config[kind])
    const [to] = kinds
    if (!to || kinds.length > 1)
      throw new UserError(`export writes for one system, but was asked for ${kinds.join(' and ') || 'none'}.`, {
        fix: `Give one of ${exportKinds.map(kind => `--${kind}`).join(', ')}.`,
      })
    const text = exportAs(to, { ...config, entry, file, runs: desk.store.directory })
    return { text: text.trimEnd(), json: { to, text } }
  },
})

const minute = (time: string | null) => (time === null ? '' : time.slice(0, 16).replace('T', ' '))

function lineText({ due, verdict, unchanged, problem, runs, comparison, removed, told }: Line): string {
  const changes = comparison?.figures.length ?? 0
  return [
    `${minute(due)}  ${verdict}${unchanged ? ', unchanged' : ''}${problem === null ? '' : `: ${problem}`}`,
    ...Object.entries(runs).map(([stage, ids]) => `  ${stage} ${ids.join(', ')}`),
    ...(changes > 0 ? [`  ${changes} figures differ from ${minute(comparison!.due)}`] : []),
    ...(comparison?.drift ? ['  drift'] : []),
    ...(removed.length > 0 ? [`  removed ${removed.join(', ')}`] : []),
    ...(told.length > 0 ? [`  told by ${told.join('; ')}`] : []),
  ].join('\n')
}
