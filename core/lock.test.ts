import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, statSync, utimesSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { takeLock, withLock } from './lock.ts'

let folder = ''
let path = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lock-'))
  path = join(folder, 'lock')
})
afterEach(() => rm(folder, { recursive: true }))

const what = 'The run here'
const brief = { what, patience: 0.2 }

/** The file in which the owner says who it is. */
async function ownersFile(): Promise<string> {
  return join(path, (await readdir(path))[0]!)
}

/** A lock as a process of this machine leaves it that is killed while it holds it, then with changed facts. */
async function leftBehind(changes: object, secondsAgo = 0): Promise<void> {
  const lock = await takeLock(path, brief)
  const owner = JSON.parse(await readFile(await ownersFile(), 'utf8'))
  await lock.release()
  await mkdir(path)
  const file = join(path, 'left')
  await writeFile(file, `${JSON.stringify({ ...owner, ...changes })} `)
  const then = new Date(Date.now() - secondsAgo * 1000)
  await utimes(file, then, then)
}

/** The number of a process that has ended. */
const ended = () => spawnSync(process.execPath, ['-e', '']).pid

describe('a lock', () => {
  test('gives back what the work gives, and leaves no trace', async () => {
    expect(await withLock(path, brief, async () => existsSync(path))).toBe(true)
    expect(await readdir(folder)).toEqual([])
  })

  test('is let go when the work fails', async () => {
    const work = withLock(path, brief, async () => {
      throw new Error('no disk')
    })
    await expect(work).rejects.toThrow('no disk')
    expect(await readdir(folder)).toEqual([])
  })

  test('keeps a second writer out, says who writes, and that trying again helps', async () => {
    const lock = await takeLock(path, brief)
    await expect(takeLock(path, brief)).rejects.toMatchObject({
      exitCode: 75,
      message: `The run here is being written by process ${process.pid} on ${hostname()}.`,
    })
    expect(await lock.held()).toBe(true)
    await lock.release()
    expect(await readdir(folder)).toEqual([])
  })

  test('lets in one at a time, and tells the second whom it waits for', async () => {
    const notes: string[] = []
    const events: string[] = []
    const first = withLock(path, brief, async () => {
      events.push('first in')
      await sleep(200)
      events.push('first out')
    })
    await sleep(50)
    const waiting = (owner: string) => notes.push(owner)
    await withLock(path, { what, waiting }, async () => {
      events.push('second in')
    })
    await first
    expect(events).toEqual(['first in', 'first out', 'second in'])
    expect(notes).toEqual([`process ${process.pid} on ${hostname()}`])
  })

  test('shows signs of life while the process computes', async () => {
    const lock = await takeLock(path, { ...brief, beat: 0.02 })
    const file = await ownersFile()
    const until = performance.now() + 10_000
    const signs = new Set<number>()
    // The event loop stands still; what was under way before may be one of them.
    while (signs.size < 4 && performance.now() < until) signs.add(statSync(file).mtimeMs)
    expect(signs.size).toBe(4)
    await lock.release()
  })

  test('that was lost is noticed by who held it, and letting it go leaves the new one alone', async () => {
    const lock = await takeLock(path, brief)
    await rename(path, join(folder, 'elsewhere'))
    const other = await takeLock(path, brief)
    expect(await lock.held()).toBe(false)
    await lock.release()
    expect(await other.held()).toBe(true)
    await other.release()
  })

  test('sweeps what killed processes left beside it, and nothing else', async () => {
    const left = `${path}.0b0e7e2c-1111-4222-8333-444455556666`
    const fresh = `${path}.0b0e7e2c-1111-4222-8333-444455557777`
    for (const name of [left, fresh, `${path}.notes`]) await mkdir(name)
    const long = new Date(Date.now() - 100_000)
    for (const name of [left, `${path}.notes`]) await utimes(name, long, long)
    await withLock(path, brief, async () => {})
    expect((await readdir(folder)).sort()).toEqual(['lock.0b0e7e2c-1111-4222-8333-444455557777', 'lock.notes'])
  })
})

describe('a lock left behind', () => {
  test('by a process that has ended is taken over at once', async () => {
    await leftBehind({ pid: ended() })
    await (await takeLock(path, brief)).release()
  })

  test('by a process whose id now belongs to another is taken over at once', async () => {
    await leftBehind({ begun: 'long ago' })
    await (await takeLock(path, brief)).release()
  })

  test('stands while its process lives, however long that was silent', async () => {
    await leftBehind({}, 3600)
    await expect(takeLock(path, brief)).rejects.toThrow('is being written by')
  })

  test('under a host name that changed since is taken over all the same', async () => {
    await leftBehind({ pid: ended(), host: 'the-name-before' })
    await (await takeLock(path, brief)).release()
  })

  test('elsewhere is taken over once its signs of life have stopped', async () => {
    await leftBehind({ machine: 'another', host: 'elsewhere' }, 61)
    await (await takeLock(path, brief)).release()
  })

  test('elsewhere is judged by the clock of the disk, however wrong that of this machine is', async () => {
    await leftBehind({ machine: 'another', host: 'elsewhere' }, 30)
    const file = await ownersFile()
    const real = Date.now()
    vi.useFakeTimers({ toFake: ['Date'], now: real + 3_600_000 })
    const asked = takeLock(path, brief)
    const refused = expect(asked).rejects.toThrow('is being written by process')
    await sleep(300)
    // A sign of its owner, whose clock is right.
    utimesSync(file, new Date(real), new Date(real))
    await refused
    vi.useRealTimers()
  })

  test('elsewhere not long ago is watched until it is known to be gone', async () => {
    await leftBehind({ machine: 'another', host: 'elsewhere' })
    const began = performance.now()
    await (await takeLock(path, { ...brief, silence: 0.7 })).release()
    expect(performance.now() - began).toBeGreaterThan(600)
  })

  test('elsewhere stands while it gives signs of life', async () => {
    await leftBehind({ machine: 'another', host: 'elsewhere', pid: 7 })
    const file = await ownersFile()
    const beat = setInterval(() => utimesSync(file, new Date(), new Date()), 100)
    try {
      await expect(takeLock(path, { ...brief, silence: 5 })).rejects.toThrow('process 7 on elsewhere')
    } finally {
      clearInterval(beat)
    }
  })

  test.each(['', '{"pid": 7}', 'null'])('that says only %j goes by its age', async text => {
    await mkdir(path)
    await writeFile(join(path, 'owner'), text)
    const long = new Date(Date.now() - 61_000)
    await utimes(join(path, 'owner'), long, long)
    await (await takeLock(path, brief)).release()
  })

  test('as a plain file by an older version goes by its age', async () => {
    await writeFile(path, JSON.stringify({ pid: process.pid, host: 'elsewhere', begun: '1' }))
    const long = new Date(Date.now() - 61_000)
    await utimes(path, long, long)
    await (await takeLock(path, brief)).release()
    expect(await readdir(folder)).toEqual([])
  })

  test('as an empty folder is none', async () => {
    await mkdir(path)
    await (await takeLock(path, brief)).release()
  })
})

describe('of many that ask at once', () => {
  /** Each adds a line when it comes in and when it goes; two inside at once show as two lines `in` on end. */
  const program = `
    const { takeLock } = await import(process.argv[1])
    const { appendFileSync } = await import('node:fs')
    const [path, log, rounds] = process.argv.slice(2)
    for (let round = 0; round < Number(rounds); round++) {
      const lock = await takeLock(path, { what: 'It', patience: 60 })
      appendFileSync(log, 'in\\n')
      await new Promise(done => setTimeout(done, 3))
      appendFileSync(log, 'out\\n')
      // The last one leaves its lock behind, for the others to take over.
      if (round === Number(rounds) - 1) process.kill(process.pid, 'SIGKILL')
      await lock.release()
    }`

  test('also processes, and of those that take over from dead ones, one at a time is in', async () => {
    const log = join(folder, 'log')
    const [count, rounds] = [4, 6]
    const module = new URL('lock.ts', import.meta.url).href
    const start = (): ChildProcess =>
      spawn(
        process.execPath,
        ['--import', 'tsx', '--input-type=module', '-e', program, module, path, log, String(rounds)],
        { stdio: ['ignore', 'inherit', 'inherit'] },
      )
    await Promise.all(Array.from({ length: count }, () => new Promise(done => start().on('close', done))))
    const lines = (await readFile(log, 'utf8')).trim().split('\n')
    expect(lines).toEqual(Array.from({ length: count * rounds }, () => ['in', 'out']).flat())
    await (await takeLock(path, brief)).release()
  }, 60_000)

  test('in one process, exactly one takes over', async () => {
    await leftBehind({ pid: ended() })
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => takeLock(path, brief)))
    const taken = results.filter(result => result.status === 'fulfilled')
    expect(taken).toHaveLength(1)
    await taken[0]!.value.release()
  })
})
