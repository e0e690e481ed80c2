import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silent } from '../../core/progress.ts'
import { withLock } from './lock.ts'

let folder = ''
let lock = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lock-'))
  lock = join(folder, 'root.lock')
})
afterEach(() => rm(folder, { recursive: true }))

async function leftBy(pid: number, host = hostname()): Promise<void> {
  await mkdir(lock)
  await writeFile(join(lock, 'owner.json'), JSON.stringify({ pid, host }))
}

/** The number of a process that has ended. */
function endedProcess(): number {
  return spawnSync(process.execPath, ['-e', '']).pid
}

test('gives back what the work gives, and leaves no trace', async () => {
  expect(await withLock(lock, silent, async () => existsSync(lock))).toBe(true)
  expect(await readdir(folder)).toEqual([])
})

test('is let go when the work fails', async () => {
  const work = withLock(lock, silent, async () => {
    throw new Error('no disk')
  })
  await expect(work).rejects.toThrow('no disk')
  expect(await readdir(folder)).toEqual([])
})

test('lets in one at a time, and tells the second whom it waits for', async () => {
  const notes: string[] = []
  const events: string[] = []
  const first = withLock(lock, silent, async () => {
    events.push('first in')
    await sleep(300)
    events.push('first out')
  })
  await sleep(50)
  await withLock(lock, { ...silent, note: line => notes.push(line) }, async () => {
    events.push('second in')
  })
  await first
  expect(events).toEqual(['first in', 'first out', 'second in'])
  expect(notes).toEqual([`Waiting for process ${process.pid}, which installs the same.`])
})

test('is taken over from a process that has ended', async () => {
  await leftBy(endedProcess())
  expect(await withLock(lock, silent, async () => 'in')).toBe('in')
})

test('is taken over when its owner, on whatever machine, has long not touched it', async () => {
  await leftBy(1, 'another-machine')
  const long = new Date(Date.now() - 10 * 60_000)
  await utimes(lock, long, long)
  expect(await withLock(lock, silent, async () => 'in')).toBe('in')
})

test('of a living process is respected', async () => {
  await leftBy(process.pid)
  let inside = false
  const work = withLock(lock, silent, async () => {
    inside = true
  })
  await sleep(500)
  expect(inside).toBe(false)
  await rm(lock, { recursive: true })
  await work
  expect(inside).toBe(true)
})

test('that was abandoned goes to one of many at a time', async () => {
  await leftBy(endedProcess())
  let [inside, most] = [0, 0]
  await Promise.all(
    Array.from({ length: 6 }, () =>
      withLock(lock, silent, async () => {
        most = Math.max(most, ++inside)
        await sleep(20)
        inside--
      }),
    ),
  )
  expect(most).toBe(1)
})
