/** What other systems are given is what they understand. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { UserError } from '../../../core/errors.ts'
import { PipelineConfig } from '../../stages/file.ts'
import { nextDue, ScheduleConfig } from '../../stages/schedule.ts'
import { hasProgram } from '../../workers/servers.fixture.ts'
import { numbersOf, weekdaysOf } from './fields.ts'
import { exportAs, exportKinds } from './index.ts'
import type { ExportRequest } from './request.ts'
import { calendarOf } from './systemd.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-export-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const request = (own: Partial<ExportRequest> = {}, schedule: object = {}): ExportRequest => ({
  entry: {
    ...{ schema: 1, name: 'nightly', file: '/projects/nightly.yaml', folder: '/projects' },
    ...{ added: '2026-01-01T00:00:00Z', schedule: null },
  },
  file: {
    ...PipelineConfig.parse({
      name: 'nightly',
      model: 'toyworld',
      capture: { sites: ['hook_embed'] },
      train: { latents: 8 },
      validate: {},
      label: {},
    }),
    schedule: ScheduleConfig.parse({ cron: '15 3 * * 1-5', timezone: 'Europe/Berlin', ...schedule }),
  },
  runs: '/projects/my runs',
  command: 'pipeline',
  image: 'registry.example/pipeline:1',
  claim: 'runs',
  shares: 4,
  ...own,
})

describe('cron', () => {
  test('is a line that sh reads back as the command', () => {
    const lines = exportAs('cron', request({ runs: "/it's 100% here" })).split('\n')
    expect(lines).toContain('CRON_TZ=Europe/Berlin')
    const line = lines.find(one => one.startsWith('15 3 * * 1-5 '))!
    expect(line).toContain('100\\%')
    const command = line.slice('15 3 * * 1-5 '.length).replaceAll('\\%', '%').replace('cd /projects &&', 'printf "%s|"')
    const words = execFileSync('sh', ['-c', command], { encoding: 'utf8' }).split('|')
    expect(words).toEqual(['pipeline', 'schedule', 'run-now', 'nightly', '--runs-dir', "/it's 100% here", '--json', ''])
  })
})

test.each(['cron', 'k8s', 'systemd'] as const)('%s is refused what only the scheduler here can say', system => {
  for (const cron of ['0 0 L * *', '0 0 15W * *', '0 0 * * 5#2', '0 0 * * friL', '0 0 1 * +1'])
    expect(() => exportAs(system, request({}, { cron }))).toThrow(/has L, W, # or \+, which .* does not know/)
})

test('cron and Kubernetes are given days of the week from 0 to 6, since Kubernetes knows no 7', () => {
  for (const system of ['cron', 'k8s'] as const) {
    const written = (cron: string) => exportAs(system, request({}, { cron }))
    expect(written('0 3 ? * 7')).toContain('0 3 * * 0')
    expect(written('0 3 * * FRI-SUN')).toContain('0 3 * * 5,6,0')
    expect(written('0 3 * * MON-FRI')).toContain('0 3 * * MON-FRI')
  }
})

test.each(exportKinds)('%s has the name of the variable that a notice needs, where it has one', system => {
  const written = (onFailure: object) => exportAs(system, request({}, { onFailure }))
  expect(written({ webhook: 'NIGHTLY_WEBHOOK' })).toContain('NIGHTLY_WEBHOOK')
  expect(written({ command: ['true'] })).not.toMatch(/WEBHOOK|secretKeyRef|EnvironmentFile|onFailure/)
})

describe('systemd', () => {
  test.each([
    ['*/15 * * * *', '*-*-* *:00,15,30,45:00 UTC'],
    ['5 4 1,15 * *', '*-*-01,15 04:05:00 UTC'],
    ['0 0 * jan-mar sun', 'Sun *-01,02,03-* 00:00:00 UTC'],
    ['0 3 ? * THU-SUN', 'Sun,Thu,Fri,Sat *-*-* 03:00:00 UTC'],
    ['0 22 * * 1-5', 'Mon,Tue,Wed,Thu,Fri *-*-* 22:00:00 UTC'],
  ])('%s is %s', (cron, calendar) => expect(calendarOf(cron, 'UTC')).toBe(calendar))

  test('numbers of a field are those that cron means', () => {
    expect(numbersOf('1-9/4', 0, 59)).toEqual([1, 5, 9])
    expect(numbersOf('50/5', 0, 59)).toEqual([50, 55])
    expect(numbersOf('*/3', 0, 7)).toEqual([0, 3, 6])
    expect(weekdaysOf('5-7')).toEqual([5, 6, 0])
    expect(weekdaysOf('THU-SUN')).toEqual([4, 5, 6, 0])
    expect(weekdaysOf('SUN-TUE')).toEqual([0, 1, 2])
  })

  test.each(['0 0 1 * 1', '0 0 L * *', '0 0 * * 5#2'])('%s cannot be said and is refused', cron =>
    expect(() => calendarOf(cron, 'UTC')).toThrow(UserError),
  )

  test.runIf(hasProgram('systemd-analyze'))('systemd finds the units sound and the same next time', () => {
    const [service, timer] = exportAs('systemd', request({ command: 'true' })).split(
      '# /etc/systemd/system/pipeline-nightly.timer\n',
    )
    writeFileSync(join(folder, 'pipeline-nightly.service'), service!.replace('/projects', '/tmp'))
    writeFileSync(join(folder, 'pipeline-nightly.timer'), timer!)
    for (const unit of ['service', 'timer'])
      execFileSync('systemd-analyze', ['verify', '--man=no', join(folder, `pipeline-nightly.${unit}`)], {
        stdio: 'pipe',
      })
    for (const cron of [
      '15 3 * * 1-5',
      '*/7 2-4 * * *',
      '0 3 * * THU-SUN',
      '0 3 * * 6-7',
      '0 12 29 2 *',
      '59 23 31 12 *',
    ]) {
      const args = ['calendar', '--base-time=2026-03-01 12:00:00 UTC', calendarOf(cron, 'Europe/Berlin')]
      const told = execFileSync('systemd-analyze', args, { encoding: 'utf8', env: { ...process.env, TZ: 'UTC' } })
      const [, time] = /Next elapse: \w+ (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC/.exec(told) ?? []
      const [, inUtc] = /\(in UTC\): \w+ (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC/.exec(told) ?? []
      const due = nextDue({ cron, timezone: 'Europe/Berlin' }, new Date('2026-03-01T12:00:00Z'))!
      expect(`${cron} ${(inUtc ?? time)?.replace(' ', 'T')}.000Z`).toBe(`${cron} ${due.toISOString()}`)
    }
  })
})

/** As much of batch/v1 as is written, with nothing unknown in it. */
const name = z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/)
const Pod = z.strictObject({
  restartPolicy: z.enum(['Never', 'OnFailure']),
  terminationGracePeriodSeconds: z.int().min(0),
  containers: z
    .array(
      z.strictObject({
        name,
        image: z.string().min(1),
        command: z.array(z.string()),
        args: z.array(z.string()),
        workingDir: z.string().startsWith('/'),
        volumeMounts: z.array(z.strictObject({ name, mountPath: z.string().startsWith('/') })),
      }),
    )
    .min(1),
  volumes: z.array(z.strictObject({ name, persistentVolumeClaim: z.strictObject({ claimName: name }) })),
})
const Rule = z.union([
  z.strictObject({
    action: z.enum(['FailJob', 'FailIndex', 'Ignore', 'Count']),
    onExitCodes: z.strictObject({
      containerName: name,
      operator: z.enum(['In', 'NotIn']),
      // The API asks for ascending numbers, each once, without 0 under In.
      values: z.array(z.int().min(1)).min(1).max(255),
    }),
  }),
  z.strictObject({
    action: z.enum(['FailJob', 'FailIndex', 'Ignore', 'Count']),
    onPodConditions: z.array(z.strictObject({ type: z.string(), status: z.enum(['True', 'False', 'Unknown']) })).min(1),
  }),
])
const JobSpec = z
  .strictObject({
    completionMode: z.enum(['Indexed', 'NonIndexed']).optional(),
    completions: z.int().min(0).optional(),
    parallelism: z.int().min(0).optional(),
    backoffLimit: z.int().min(0).optional(),
    backoffLimitPerIndex: z.int().min(0).optional(),
    maxFailedIndexes: z.int().min(0).optional(),
    podFailurePolicy: z.strictObject({ rules: z.array(Rule).max(20) }),
    template: z.strictObject({ spec: Pod }),
  })
  .superRefine((spec, context) => {
    const complain = (message: string) => context.addIssue({ code: 'custom', message })
    const indexed = spec.completionMode === 'Indexed'
    if (indexed && spec.completions === undefined) complain('Indexed needs completions')
    if (!indexed && (spec.backoffLimitPerIndex ?? spec.maxFailedIndexes) !== undefined)
      complain('per index needs Indexed')
    if (spec.maxFailedIndexes !== undefined && spec.maxFailedIndexes > (spec.completions ?? 0)) complain('too many')
    if (spec.template.spec.restartPolicy !== 'Never') complain('podFailurePolicy needs restartPolicy Never')
    const fails = spec.podFailurePolicy.rules.some(({ action }) => action === 'FailIndex')
    if (fails && spec.backoffLimitPerIndex === undefined) complain('FailIndex needs backoffLimitPerIndex')
  })
const Metadata = z.strictObject({ name })
const CronJob = z.strictObject({
  apiVersion: z.literal('batch/v1'),
  kind: z.literal('CronJob'),
  metadata: z.strictObject({ name: name.max(52) }),
  spec: z.strictObject({
    schedule: z.string(),
    timeZone: z.string(),
    concurrencyPolicy: z.enum(['Allow', 'Forbid', 'Replace']),
    startingDeadlineSeconds: z.int().min(10),
    jobTemplate: z.strictObject({ spec: JobSpec }),
  }),
})
const Job = z.strictObject({
  apiVersion: z.literal('batch/v1'),
  kind: z.literal('Job'),
  metadata: Metadata,
  spec: JobSpec,
})

describe('Kubernetes', () => {
  test('has a CronJob, and an Indexed Job for each stage that can be shared, as the API wants them', () => {
    const documents = parseAllDocuments(exportAs('k8s', request())).map(document => document.toJS() as object)
    const [cronJob, capture, ...others] = documents
    expect(CronJob.parse(cronJob).spec).toMatchObject({ timeZone: 'Europe/Berlin', concurrencyPolicy: 'Forbid' })
    for (const job of [capture, ...others]) expect(Job.parse(job).spec).toMatchObject({ completions: 4 })
    expect(others.map(job => Job.parse(job).metadata.name)).toEqual([
      'pipeline-nightly-validate',
      'pipeline-nightly-label',
    ])
    expect(Job.parse(capture).spec.template.spec.containers[0]!.args).toContain('$(JOB_COMPLETION_INDEX)')
  })

  test('any name becomes one that the API takes', () => {
    const entry = { ...request().entry, name: `My_Nightly.${'x'.repeat(80)}` }
    const [cronJob, job] = parseAllDocuments(exportAs('k8s', request({ entry }))).map(one => one.toJS() as object)
    CronJob.parse(cronJob)
    Job.parse(job)
  })

  test('needs an image and a volume', () => {
    expect(() => exportAs('k8s', request({ image: undefined }))).toThrow('--k8s needs --image')
  })
})

describe('Slurm', () => {
  test('submits shares as arrays, each job after the one before, in a script that sh can read', () => {
    const script = exportAs('slurm', request())
    const path = join(folder, 'submit.sh')
    writeFileSync(path, script)
    execFileSync('sh', ['-n', path])
    const jobs = [...script.matchAll(/<<'JOB'\n(.*?)\nJOB\n/gs)].map(match => match[1]!)
    for (const [i, job] of jobs.entries()) {
      writeFileSync(join(folder, `job${i}`), job)
      execFileSync('bash', ['-n', join(folder, `job${i}`)])
    }
    const commands = jobs.map(job => /^pipeline .*(?= &$)/m.exec(job)![0].replace(/--runs-dir '[^']*' ?/, ''))
    expect(commands).toEqual([
      'pipeline run /projects/nightly.yaml --until capture --shard "$SLURM_ARRAY_TASK_ID" --of 4',
      'pipeline run /projects/nightly.yaml --until train',
      'pipeline run /projects/nightly.yaml --until validate --shard "$SLURM_ARRAY_TASK_ID" --of 4',
      'pipeline run /projects/nightly.yaml --until validate',
      'pipeline run /projects/nightly.yaml --until label --shard "$SLURM_ARRAY_TASK_ID" --of 4',
      'pipeline schedule run-now nightly ',
    ])
    expect(script.match(/--array=0-3/g)).toHaveLength(3)
  })

  /** A job of the script, run by bash with stand-ins for Slurm and for this program. */
  const outcome = (code: string, variables: Record<string, string> = {}) => {
    const script = exportAs('slurm', request({ command: join(folder, 'program') }))
    const [job] = [...script.matchAll(/<<'JOB'\n(.*?)\nJOB\n/gs)].map(match => match[1]!)
    writeFileSync(join(folder, 'program'), `#!/bin/bash\n${code}\n`, { mode: 0o755 })
    writeFileSync(join(folder, 'scontrol'), `#!/bin/bash\necho "$@" >> ${join(folder, 'scontrol.log')}\n`, {
      mode: 0o755,
    })
    writeFileSync(join(folder, 'scontrol.log'), '')
    const env = { ...process.env, PATH: `${folder}:${process.env.PATH}`, SLURM_JOB_ID: '9', ...variables }
    const told = execFileSync('bash', ['-c', job!], { env, encoding: 'utf8' })
    return told
  }
  const codeOf = (code: string, variables?: Record<string, string>): number => {
    try {
      outcome(code, variables)
      return 0
    } catch (error) {
      return (error as { status: number }).status
    }
  }
  const requeued = () => execFileSync('cat', [join(folder, 'scontrol.log')], { encoding: 'utf8' }).trim()

  test('a job ends as the exit codes say, and puts itself back where going on helps', () => {
    const task = { SLURM_ARRAY_JOB_ID: '7', SLURM_ARRAY_TASK_ID: '3' }
    expect([codeOf('exit 0', task), requeued()]).toEqual([0, ''])
    expect([codeOf('exit 1', task), requeued()]).toEqual([1, ''])
    expect([codeOf('exit 2', task), requeued()]).toEqual([0, ''])
    expect([codeOf('exit 75', task), requeued()]).toEqual([75, 'requeue 7_3'])
    expect([codeOf('exit 4'), requeued()]).toEqual([75, 'requeue 9'])
    const stopped = 'trap "exit 4" TERM; kill -TERM $PPID; sleep 5 & wait'
    expect([codeOf(stopped, task), requeued()]).toEqual([75, 'requeue 7_3'])
  })
})
