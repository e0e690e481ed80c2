/**
 * A stage done by workers of a queue ends with the bytes of one process, whatever becomes of the queue and whatever workers say;
 * what cannot end so is named. The queue and the processes stand in this process; `killed.test.ts` has real ones.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { FaultError, InterruptedError, UserError } from '../../core/errors.ts'
import { Random } from '../../core/random.ts'
import { startS3Server } from '../../objects/s3-server.fixture.ts'
import { readRunManifest } from '../../runs/folder.ts'
import { RunStore } from '../../runs/store.ts'
import capture from '../stages/capture.ts'
import { performStage, type StageResult } from '../stages/perform.ts'
import { type Stage, type StageConfig, stageSchema } from '../stages/stage.ts'
import { session } from '../stages/store.fixture.ts'
import { localCrew } from './crew.ts'
import { hostHere } from './host-here.fixture.ts'
import { type JobData, jobOf } from './job.ts'
import { type MemoryQueue, memoryQueue } from './memory-queue.fixture.ts'
import type { Request } from './messages.ts'
import { wordOfPlace } from './place.ts'
import type { Ending } from './queue.ts'
import { performRemotely } from './remote.ts'
import { Workshop } from './worker.ts'
import { WorkerGone } from './worker-process.ts'

vi.mock('../stages/capture.ts', () => import('./numbers-stage.fixture.ts'))

const stage = capture as unknown as Stage
const units = 12
const numbers = Array.from({ length: units }, (_, i) => i + 3).join('\n')
let folder: string
let alone: Record<string, string>

const settings = (runs: string, own: object = {}) =>
  stageSchema(stage).parse({
    ...{ dataset: join(folder, 'numbers'), engine: 'wasm', threads: 1, 'runs-dir': join(folder, runs), ...own },
  }) as StageConfig

const filesOf = async ({ directory }: StageResult) => (await readRunManifest(directory))!.files

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-remote-'))
  writeFileSync(join(folder, 'numbers'), numbers)
  alone = await filesOf((await performStage(stage, settings('alone'), session)) as StageResult)
  expect(Object.keys(alone)).toHaveLength(units)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Whether a request is for a unit that comes to nothing. */
const isUnit = (request: Request, unit: number) => request.kind === 'work' && request.unit === unit
const killed = () => {
  throw new WorkerGone('ended with SIGKILL')
}

interface Given {
  readonly unitsPerJob?: number
  /** In the place of what a worker does. */
  readonly instead?: (data: JobData, queue: MemoryQueue) => Ending | undefined
  readonly host?: Parameters<typeof hostHere>[0]
  readonly own?: object
  /** Folder of the worker's runs, where it is another one than that of whoever asks. */
  readonly workerIn?: string
}

/** Asks a queue with one worker for the capture, and gives its files with the queue that is left. */
async function ask(
  runs: string,
  { unitsPerJob = 1, instead, host, own = {}, workerIn = runs }: Given = {},
  queue = memoryQueue(),
) {
  const places = { 'runs-dir': join(folder, workerIn), store: undefined, parts: undefined, threads: undefined }
  const workshop = new Workshop(places, session, () => hostHere(host))
  const working = queue.work(
    async (data, signal) => instead?.(data as JobData, queue) ?? workshop.doJob(data, signal),
    { concurrency: 1, lock: 5 },
  )
  try {
    const asked = { queue, unitsPerJob, priority: 100, look: 0.01 }
    const [result] = await performRemotely(stage, settings(runs, own), session, asked)
    return { result: result!, files: await filesOf(result!), queue }
  } finally {
    workshop.stop()
    await working.stop()
  }
}

const jobsOf = ({ jobs }: MemoryQueue, kind: string) =>
  [...jobs.values()].filter(({ data }) => (data as JobData).kind === kind)

test('a job for each unit, each begun once, and one that closes the run', async () => {
  const { files, queue } = await ask('plain')
  expect(files).toEqual(alone)
  expect(jobsOf(queue, 'units').map(({ begun }) => begun)).toEqual(new Array(units).fill(1))
  expect(jobsOf(queue, 'stage')).toHaveLength(1)
  expect(readdirSync(join(folder, 'plain/.parts'))).toEqual([])
})

test('a finished run is unchanged only where its files are as it says', async () => {
  const { result } = await ask('unchanged')
  expect((await ask('unchanged')).result.state).toBe('unchanged')
  const [name] = Object.keys(alone)
  writeFileSync(join(result.directory, name!), '0')
  await expect(ask('unchanged')).rejects.toThrow(`The file ${name} of the run ${result.run} is not what`)
})

test('a queue that loses all its jobs, twice, costs no result: only what is missing is asked for again', async () => {
  let done = 0
  let begun = 0
  const { files } = await ask('emptied', {
    instead(data, queue) {
      if (data.kind !== 'units') return undefined
      begun++
      if (++done === 3 || done === 5) queue.lose()
      return undefined
    },
  })
  expect(files).toEqual(alone)
  // The unit that is in work when the queue is lost is done by its worker; it may be asked for once more meanwhile.
  expect(begun).toBeLessThanOrEqual(units + 2)
})

test('what a worker says is not believed: a unit is done when its part is there', async () => {
  const lied = new Set<number>()
  const { files, queue } = await ask('lies', {
    instead({ kind, units }) {
      if (kind !== 'units' || lied.has(units!.from)) return undefined
      lied.add(units!.from)
      return { kind: 'done', result: { made: 1 } }
    },
  })
  expect(files).toEqual(alone)
  expect(lied.size).toBe(units)
  expect(jobsOf(queue, 'units').length).toBeGreaterThanOrEqual(2 * units)
})

test('jobs of the same units that an older run left in the queue, done or failed, are taken for nothing', async () => {
  const queue = memoryQueue()
  const data = jobOf('units', 'capture', settings('older'), await wordOfPlace(settings('older')), {
    units: { from: 0, to: units },
  })
  for (const state of ['completed', 'failed'] as const) {
    const id = await queue.add(data, 100)
    Object.assign(queue.jobs.get(id)!, { state, failure: { message: 'an old fault', exitCode: 75 } })
  }
  expect((await ask('older', {}, queue)).files).toEqual(alone)
})

test('a unit that ends its process each time is tried three times and named; all others are done, and one is left', async () => {
  const queue = memoryQueue()
  const error = await ask('poison', { host: request => (isUnit(request, 2) ? killed() : undefined) }, queue).catch(
    error => error,
  )
  expect(error).toBeInstanceOf(FaultError)
  expect(error.message).toBe('shard-00002 of capture failed after 3 attempts: its process ended with SIGKILL')
  expect(error.fix).toContain(`--shard 2 --of ${units}`)
  const begun = (await ask('poison')).queue
  expect(jobsOf(begun, 'units')).toHaveLength(1)
  expect((await new RunStore(join(folder, 'poison')).list()).runs).toHaveLength(1)
})

test('in a job of several units the one that fails is found, and the others are done', async () => {
  const queue = memoryQueue()
  const host = (request: Request) => (isUnit(request, 1) ? killed() : undefined)
  const error = await ask('several', { unitsPerJob: 3, host }, queue).catch(error => error)
  expect(error.message).toContain('shard-00001 of capture failed after 3 attempts')
  expect(jobsOf((await ask('several')).queue, 'units')).toHaveLength(1)
})

test('what the user has to mend is thrown at once, and not tried again', async () => {
  const queue = memoryQueue()
  writeFileSync(join(folder, 'words'), '1\ntwo\n3')
  const error = await ask('wrong', { own: { dataset: join(folder, 'words') } }, queue).catch(error => error)
  expect(error).toBeInstanceOf(UserError)
  expect(error).not.toBeInstanceOf(FaultError)
  expect(error.message).toMatch(/Line 2 of .*words is no number/)
  expect(jobsOf(queue, 'open').map(({ attempts }) => attempts)).toEqual([1])
})

test('a machine with another text is refused, which is named, and leaves no part', async () => {
  const text = join(folder, 'numbers')
  const error = await ask('unlike', {
    instead({ kind }) {
      // What the machine that divided the work read is not what this one reads.
      if (kind === 'units') writeFileSync(text, `7${numbers}`)
      return undefined
    },
    // A process that was not there when the work was divided.
    host: request => (request.kind === 'work' ? killed() : undefined),
  }).catch(error => error)
  writeFileSync(text, numbers)
  expect(error.message).toMatch(
    new RegExp(
      `The machine ${hostname()} would make another capture run .*: its dataset is [0-9a-f]{12}, not [0-9a-f]{12}\\.`,
    ),
  )
  expect(error).not.toBeInstanceOf(FaultError)
})

test('a worker that keeps its runs elsewhere refuses the jobs of another project at once, which is named, and leaves nothing', async () => {
  const queue = memoryQueue()
  const error = await ask('there', { workerIn: 'elsewhere' }, queue).catch(error => error)
  expect(error.message).toContain(
    `keeps runs in ${join(folder, 'elsewhere')}, which is not the place where whoever asks`,
  )
  expect(error.fix).toContain('start the same command again')
  expect(error).not.toBeInstanceOf(FaultError)
  expect(jobsOf(queue, 'open').map(({ attempts }) => attempts)).toEqual([1])
  expect((await new RunStore(join(folder, 'elsewhere')).list()).runs).toEqual([])
})

test('of two that ask at the same moment, the one whose job finds the run being written takes the result of the other', async () => {
  const queue = memoryQueue()
  let other: string | undefined
  const { files } = await ask(
    'twice',
    {
      instead(data, { jobs }) {
        if (data.kind !== 'stage') return undefined
        // The first job is ours, and fails as long as the other one, which comes after it, is not done.
        if (other === undefined || jobs.get(other)!.state !== 'active')
          return { kind: 'failed', message: 'The run is being written by process 1.', exitCode: 75 }
        return undefined
      },
    },
    {
      ...queue,
      async add(data, priority) {
        const id = await queue.add(data, priority)
        if (data.kind === 'stage') other ??= await queue.add(data, priority)
        return id
      },
    },
  )
  expect(files).toEqual(alone)
  expect(jobsOf(queue, 'stage').map(({ state }) => state)).toEqual(['failed', 'completed'])
})

test('where no worker takes the job, that is said, and once', async () => {
  const notes: string[] = []
  const controller = new AbortController()
  const own = { ...session, signal: controller.signal }
  let looks = 0
  const queue = memoryQueue()
  const counting = {
    ...queue,
    async find(id: string) {
      if (++looks === 60) controller.abort()
      return queue.find(id)
    },
  }
  const progress = { ...session.progress, note: (line: string) => notes.push(line) }
  const asked = { queue: counting, unitsPerJob: 1, priority: 100, look: 0.001 }
  await expect(performRemotely(stage, settings('nobody'), { ...own, progress }, asked)).rejects.toThrow(
    InterruptedError,
  )
  expect(notes).toEqual([expect.stringMatching(/^No worker of memory takes the job. `pipeline worker`/)])
})

test('the same file asked for from another place is other work: its jobs are taken for nothing', async () => {
  const queue = memoryQueue()
  const word = await wordOfPlace(settings('another-place'))
  await queue.add(jobOf('open', 'capture', settings('another-place'), word), 100)
  expect((await ask('this-place', {}, queue)).files).toEqual(alone)
  expect(jobsOf(queue, 'open').map(({ state }) => state)).toEqual(['failed', 'completed'])
})

test('a server that is away for a while is waited for', async () => {
  const queue = memoryQueue()
  let asked = 0
  const live = queue.live.bind(queue)
  queue.live = async () => {
    if (++asked > 2 && asked < 6) throw new Error('ECONNREFUSED')
    return live()
  }
  expect((await ask('away', {}, queue)).files).toEqual(alone)
  expect(asked).toBeGreaterThan(6)
})

test('here too, a unit that ends its processes is named when the others are done', async () => {
  const runs = (host?: Parameters<typeof hostHere>[0]) =>
    performStage(
      stage,
      settings('crew', { workers: 2 }),
      session,
      localCrew(2, session, () => hostHere(host)),
    )
  const work: number[] = []
  const error = await runs(request => (isUnit(request, 1) ? killed() : undefined)).catch(error => error)
  expect(error).toBeInstanceOf(FaultError)
  expect(error.message).toContain('The part shard-00001 of capture ended its process 3 times')
  const result = await runs(request => {
    if (request.kind === 'work') work.push(request.unit)
    return undefined
  })
  expect(work).toEqual([1])
  expect(await filesOf(result as StageResult)).toEqual(alone)
})

test.runIf(process.platform === 'linux')(
  'a disk that is full where a worker computes is a fault that passes: all else is done, and the rest when there is room',
  async () => {
    process.env.FULL_DISK = 'disk/.*shard-0000[47]'
    await import('../../tests/full-disk.ts')
    const queue = memoryQueue()
    const asked = await ask('disk', {}, queue).catch(error => error)
    expect(asked).toBeInstanceOf(FaultError)
    expect(asked.message).toMatch(/^shard-00004, shard-00007 of capture failed after 3 attempts: The disk is full: /)
    const crew = () =>
      performStage(
        stage,
        settings('disk', { workers: 2 }),
        session,
        localCrew(2, session, () => hostHere()),
      )
    await expect(crew()).rejects.toThrow(/^The disk is full: .*shard-0000[47].* could not be written/)
    const left = readdirSync(join(folder, 'disk'), { recursive: true }).map(String)
    expect(left.filter(name => name.endsWith('.partial') || /scratch\/.*shard/.test(name))).toEqual([])
    process.env.FULL_DISK = ''
    expect(await filesOf((await crew()) as StageResult)).toEqual(alone)
  },
)

test('Ctrl-C stops all processes where the work can go on, and the same command ends with the same bytes', async () => {
  const controller = new AbortController()
  const own = { ...session, signal: controller.signal }
  let begun = 0
  const hosts: { stopped: boolean; ended: boolean }[] = []
  const crew = localCrew(2, own, () => {
    const host = hostHere(({ kind }) => {
      if (kind === 'work' && ++begun === 4) controller.abort()
      return undefined
    })
    const seen = { stopped: false, ended: false }
    hosts.push(seen)
    const stop = () => {
      seen.stopped = true
      host.stop()
    }
    const end = () => {
      seen.ended = true
      host.end()
    }
    return { ask: host.ask, stop, end }
  })
  await expect(performStage(stage, settings('ctrl-c', { workers: 2 }), own, crew)).rejects.toThrow(InterruptedError)
  expect(hosts).toEqual(new Array(2).fill({ stopped: true, ended: true }))
  expect((await new RunStore(join(folder, 'ctrl-c')).list()).runs[0]!.manifest.status).toBe('interrupted')
  expect(begun).toBeLessThan(units)
  expect(await filesOf((await performStage(stage, settings('ctrl-c'), session)) as StageResult)).toEqual(alone)
})

test('machines that share no folder, but a bucket, make the run of one process, and each takes it from there', async () => {
  const server = await startS3Server()
  const keys = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret', AWS_ENDPOINT_URL: server.endpoint }
  Object.assign(process.env, keys)
  try {
    const own = { store: 's3://bucket/project' }
    const queue = memoryQueue()
    const places = (name: string) => ({ 'runs-dir': join(folder, name), ...own, parts: undefined, threads: undefined })
    const did: Record<string, number> = { one: 0, two: 0 }
    const workers = Object.keys(did).map(name => {
      const workshop = new Workshop(places(name), session, () =>
        hostHere(({ kind }) => {
          if (kind === 'work') did[name]!++
          return undefined
        }),
      )
      return { workshop, working: queue.work(workshop.doJob, { concurrency: 1, lock: 5 }) }
    })
    const asked = { queue, unitsPerJob: 1, priority: 100, look: 0.01 }
    const perform = () => performRemotely(stage, settings('asking', own), session, asked)
    const [result] = await perform()
    expect(await filesOf(result!)).toEqual(alone)
    expect(result!.directory).toBe(join(folder, 'asking', result!.run))
    expect(did.one! > 0 && did.two! > 0 && did.one! + did.two! === units).toBe(true)
    expect([...server.objects.keys()].filter(name => name.startsWith('project/parts'))).toEqual([])
    expect((await perform())[0]).toMatchObject({ run: result!.run, state: 'unchanged' })
    for (const { workshop, working } of workers) {
      workshop.stop()
      await working.stop()
    }
    for (const name of ['one', 'two']) {
      const { run } = result!
      const { state } = (await performStage(stage, settings(name, own), session)) as StageResult
      expect({ name, state }).toEqual({ name, state: 'unchanged' })
      expect((await readRunManifest(join(folder, name, run)))!.files).toEqual(alone)
    }
  } finally {
    for (const name of Object.keys(keys)) delete process.env[name]
    await server.close()
  }
})

test('kills, lies, lost queues, and workers that stop, by the dozen, change no byte', async () => {
  const path = join(folder, 'many')
  writeFileSync(path, Array.from({ length: 60 }, (_, i) => i).join('\n'))
  const own = { dataset: path }
  const whole = await filesOf((await performStage(stage, settings('calm', own), session)) as StageResult)
  const random = new Random(0, 'faults')
  const deaths = new Map<number, number>()
  const faults = { lie: 0, stop: 0, fault: 0, loss: 0, kill: 0 }
  const { files } = await ask('stormy', {
    own,
    unitsPerJob: 3,
    instead({ kind, units }, queue) {
      if (kind !== 'units') return undefined
      const draw = random.uniform()
      if (draw < 0.15 && ++faults.lie) return { kind: 'done', result: { made: 3 } }
      if (draw < 0.3 && ++faults.stop) return { kind: 'stopped' }
      // A job that has failed for good is not asked for again, so that here the same one may not fail thrice.
      if (draw < 0.45 && units!.to - units!.from > 1 && ++faults.fault)
        return { kind: 'failed', message: 'no disk', exitCode: 75 }
      if (draw < 0.55 && ++faults.loss) queue.lose()
      return undefined
    },
    host(request) {
      if (request.kind !== 'work' || random.uniform() > 0.2) return undefined
      // Nor may a unit end its process three times.
      const times = deaths.get(request.unit) ?? 0
      deaths.set(request.unit, times + 1)
      if (times < 2 && ++faults.kill) killed()
      return undefined
    },
  })
  expect(files).toEqual(whole)
  expect(Object.values(faults).every(count => count > 0)).toBe(true)
})
