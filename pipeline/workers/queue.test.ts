/** What a queue does with jobs, on Redis and PostgreSQL where they are here, and what a worker refuses. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { FaultError, UserError } from '../../core/errors.ts'
import type { StageConfig } from '../stages/stage.ts'
import { session } from '../stages/store.fixture.ts'
import { jobOf, readJob } from './job.ts'
import { type Ending, type JobQueue, openQueue } from './queue.ts'
import { rangesOf } from './remote.ts'
import { hasProgram, postgresPrograms, postgresServer, redisServer, type TestServer } from './servers.fixture.ts'
import { Workshop } from './worker.ts'

const config = {
  model: 'toyworld',
  dataset: { path: 'toyworld' },
  sites: ['hook_embed'],
  seed: 0,
  engine: 'wasm',
  precision: 'float32',
} as unknown as StageConfig
const job = (from: number) => jobOf('units', 'capture', config, 'here', { units: { from, to: from + 1 } })

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-queue-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const programs = process.env.PIPELINE_LONG ? postgresPrograms() : undefined
const kinds: [string, () => Promise<TestServer>][] = [
  ...(hasProgram('redis-server')
    ? [['Redis', () => redisServer(join(folder, 'redis'))] as [string, () => Promise<TestServer>]]
    : []),
  ...(programs
    ? [['PostgreSQL', () => postgresServer(programs, join(folder, 'pg'))] as [string, () => Promise<TestServer>]]
    : []),
]

describe.each(kinds)('a queue on %s', (_, serverOf) => {
  let server: TestServer
  let queue: JobQueue
  beforeAll(async () => {
    server = await serverOf()
    await server.start()
    queue = await openQueue(server.url)
  })
  afterAll(async () => {
    await queue.close()
    await server.kill()
  })

  /** A worker that takes no job of the next test, however this one ends. */
  const doing = (...asked: Parameters<JobQueue['work']>) => {
    const worker = queue.work(...asked)
    running.push(worker)
    return worker
  }
  const running: ReturnType<JobQueue['work']>[] = []
  afterEach(async () => {
    for (const worker of running.splice(0)) await worker.stop()
  })

  const settled = async (id: string) => {
    for (;;) {
      const found = await queue.find(id)
      if (!found || found.state === 'completed' || found.state === 'failed') return found
      await sleep(20)
    }
  }

  test('a job is done once and its result is kept; one that fails for good is not tried again', async () => {
    const done: unknown[] = []
    const endings: Record<number, Ending> = {
      0: { kind: 'done', result: { made: 1 } },
      1: { kind: 'failed', message: 'wrong site', exitCode: 1 },
    }
    const ids = [await queue.add(job(0), 100), await queue.add(job(1), 100)]
    expect(await queue.live()).toHaveLength(2)
    const working = doing(
      async data => {
        done.push(data)
        return endings[(data as { units: { from: number } }).units.from]!
      },
      { concurrency: 1, lock: 5 },
    )
    expect(await settled(ids[0]!)).toMatchObject({ state: 'completed', result: { made: 1 }, failure: undefined })
    expect(await settled(ids[1]!)).toMatchObject({
      state: 'failed',
      attempts: 1,
      failure: { message: 'wrong site', exitCode: 1 },
    })
    await working.stop()
    expect(done).toEqual([job(0), job(1)])
    expect(await queue.counts()).toMatchObject({ failed: 1, completed: 1, active: 0 })
  })

  test('a job that was stopped waits again, and no attempt is spent', async () => {
    let times = 0
    const id = await queue.add(job(2), 100)
    const working = doing(async () => (++times < 3 ? { kind: 'stopped' } : { kind: 'done', result: times }), {
      concurrency: 1,
      lock: 5,
    })
    expect(await settled(id)).toMatchObject({ state: 'completed', result: 3 })
    await working.stop()
  })

  test.runIf(process.env.PIPELINE_LONG).each(['while it is away', 'once it is back'])(
    'a job that is in work when its server ends, and ends %s, is done once',
    async when => {
      let times = 0
      let end = () => {}
      const ended = new Promise<void>(done => {
        end = done
      })
      const id = await queue.add(job(5), 100)
      const working = doing(
        async () => {
          times++
          await ended
          return { kind: 'done', result: times }
        },
        // Longer than a busy machine takes to start a server.
        { concurrency: 1, lock: 600 },
      )
      while (times === 0) await sleep(20)
      await server.kill()
      if (when === 'while it is away') end()
      await sleep(500)
      await server.start()
      end()
      expect(await settled(id)).toMatchObject({ state: 'completed', result: 1 })
      await working.stop()
      expect(times).toBe(1)
    },
  )

  test.runIf(process.env.PIPELINE_LONG)('a job that takes longer than its lock is done once', async () => {
    let times = 0
    const id = await queue.add(job(6), 100)
    const work: Parameters<typeof queue.work>[0] = async () => {
      times++
      await sleep(7000)
      return { kind: 'done', result: times }
    }
    const workers = [doing(work, { concurrency: 1, lock: 2 }), doing(work, { concurrency: 1, lock: 2 })]
    expect(await settled(id)).toMatchObject({ state: 'completed', result: 1 })
    for (const worker of workers) await worker.stop()
    expect(times).toBe(1)
  })

  test('failed jobs wait again when asked, and waiting ones can be removed', async () => {
    expect(await queue.retry()).toBeGreaterThan(0)
    await queue.add(job(3), 100)
    expect((await queue.failed()).length).toBe(0)
    expect(await queue.drain()).toBeGreaterThan(1)
    expect(await queue.live()).toEqual([])
  })
})

test.runIf(hasProgram('redis-server'))('a Redis that throws keys away when it is full is refused', async () => {
  const server = await redisServer(join(folder, 'lru'), ['--maxmemory-policy', 'allkeys-lru'])
  await server.start()
  try {
    await expect(openQueue(server.url)).rejects.toThrow('has maxmemory-policy allkeys-lru')
  } finally {
    await server.kill()
  }
})

test.runIf(hasProgram('redis-server'))(
  'a Redis that wants a password says so, and is no fault that passes',
  async () => {
    const server = await redisServer(join(folder, 'password'), ['--requirepass', 'secret'])
    await server.start()
    try {
      const wrong = server.url.replace('redis://', 'redis://:wrong@')
      for (const url of [wrong, server.url]) {
        const refused = openQueue(url)
        await expect(refused).rejects.toThrow(/lets nobody in by this user and password: (WRONGPASS|NOAUTH)/)
        await expect(refused).rejects.not.toBeInstanceOf(FaultError)
      }
      await (await openQueue(server.url.replace('redis://', 'redis://:secret@'))).close()
    } finally {
      await server.kill()
    }
  },
)

test.runIf(hasProgram('redis-server'))('a Redis without the database that is named is refused', async () => {
  const server = await redisServer(join(folder, 'numbers'), ['--databases', '2'])
  await server.start()
  try {
    await (await openQueue(`${server.url}/1`)).close()
    for (const [name, problem] of [
      ['2', 'has no such database'],
      ['jobs', 'names a database of Redis that is no number'],
    ] as const) {
      const refused = openQueue(`${server.url}/${name}`)
      await expect(refused).rejects.toThrow(problem)
      await expect(refused).rejects.not.toBeInstanceOf(FaultError)
    }
  } finally {
    await server.kill()
  }
})

test('an address of no queue is refused, and one without a server is a fault worth retrying', async () => {
  await expect(openQueue('http://host')).rejects.toThrow(UserError)
  await expect(openQueue('redis://127.0.0.1:1')).rejects.toThrow(FaultError)
})

describe('a job as a worker reads it', () => {
  const own = { 'runs-dir': '/own/runs' }

  test("has the worker's own places, whatever it was asked with", () => {
    const asked = { ...config, 'runs-dir': '/elsewhere', parts: '/elsewhere', workers: 7 } as StageConfig
    const data = jobOf('units', 'capture', asked, 'here', { units: { from: 0, to: 2 } })
    expect(JSON.stringify(data)).not.toContain('elsewhere')
    expect(data.work).toBe(jobOf('stage', 'capture', config, 'here').work)
    expect(readJob(data, own).config).toMatchObject({ 'runs-dir': '/own/runs', workers: 1 })
  })

  test('of another version says so, whatever else it is', () => {
    expect(() => readJob({ schema: 1, version: '0.0.1', stage: 'dream' }, own)).toThrow(
      'The job is of version 0.0.1 of this program',
    )
  })

  test.each([
    ['is of another schema', { ...job(0), schema: 2 }],
    ['is of another version of the program', { ...job(0), version: '0.0.1' }],
    ['has an unknown stage', { ...job(0), stage: 'shell' }],
    ['has an unknown key', { ...job(0), config: { ...job(0).config, command: 'rm' } }],
    ['sets where to write', { ...job(0), config: { ...job(0).config, parts: '/etc' } }],
    ['sets a file to write', { ...job(0), stage: 'validate', config: { sae: 'x', junit: '/etc/passwd' } }],
    ['is no object', 'rm'],
  ])('is refused where it %s', async (_, data) => {
    expect(() => readJob(data, own)).toThrow(UserError)
    expect(await new Workshop(own, session).doJob(data, session.signal)).toMatchObject({ kind: 'failed', exitCode: 1 })
  })
})

test('missing units become ranges of neighbours, of so many at most', () => {
  expect(rangesOf([0, 1, 2, 3, 6, 7, 9], 2)).toEqual([
    { from: 0, to: 2 },
    { from: 2, to: 4 },
    { from: 6, to: 8 },
    { from: 9, to: 10 },
  ])
  expect(rangesOf([], 3)).toEqual([])
})
