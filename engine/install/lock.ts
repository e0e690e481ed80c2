/** One installer at a time in a place: a lock directory with its owner inside, taken over when the owner is gone. */
import { mkdir, mkdtemp, readFile, rename, rm, rmdir, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf } from '../../core/errors.ts'
import { writeError } from '../../core/files.ts'
import type { Progress } from '../../core/progress.ts'

/** Who holds a lock. */
interface Owner {
  readonly pid: number
  readonly host: string
}

/** The owner touches its lock this often … */
const HEARTBEAT = 5_000
/** … and a lock untouched for this long is nobody's, whatever process now has its owner's number. */
const ABANDONED = 120_000
/** Taking over a lock is a matter of milliseconds; a mark of it that is older was left by a crash. */
const TAKEOVER = 10_000

/** Does `work` while holding the lock at `path`; waits for another process that holds it, and says so once. */
export async function withLock<T>(path: string, progress: Progress, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true }).catch(error => {
    throw writeError(dirname(path), error)
  })
  let told = false
  while (!(await take(path))) {
    if (await isAbandoned(path)) {
      await takeOver(path)
      continue
    }
    const owner = await readOwner(path)
    if (owner && !told) {
      progress.note(`Waiting for process ${owner.pid}, which installs the same.`)
      told = true
    }
    await sleep(200)
  }
  const beat = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => {})
  }, HEARTBEAT)
  beat.unref()
  try {
    return await work()
  } finally {
    clearInterval(beat)
    await remove(path)
  }
}

/** A rename onto a directory that is not empty fails, so the lock appears with its owner inside or not at all. */
async function take(path: string): Promise<boolean> {
  const own = await mkdtemp(`${path}.`)
  const owner: Owner = { pid: process.pid, host: hostname() }
  await writeFile(join(own, 'owner.json'), JSON.stringify(owner))
  try {
    await rename(own, path)
    return true
  } catch (error) {
    await rm(own, { recursive: true, force: true })
    if (['ENOTEMPTY', 'EEXIST', 'EPERM', 'EBUSY'].includes(codeOf(error) ?? '')) return false
    throw writeError(path, error)
  }
}

/** In one step out of the way: while a directory is emptied, another could take its name. */
async function remove(path: string): Promise<void> {
  const trash = await mkdtemp(`${path}.`)
  await rename(path, trash).catch(error => {
    if (codeOf(error) !== 'ENOENT') throw error
  })
  await rm(trash, { recursive: true, force: true })
}

async function readOwner(path: string): Promise<Owner | undefined> {
  try {
    return JSON.parse(await readFile(join(path, 'owner.json'), 'utf8')) as Owner
  } catch {
    return undefined
  }
}

async function isAbandoned(path: string): Promise<boolean> {
  const [owner, age] = [await readOwner(path), await ageOf(path)]
  if (age === undefined) return false
  if (age > ABANDONED) return true
  return owner !== undefined && owner.host === hostname() && !isAlive(owner.pid)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

async function ageOf(path: string): Promise<number | undefined> {
  try {
    return Date.now() - (await stat(path)).mtimeMs
  } catch {
    return undefined
  }
}

/** Removes an abandoned lock. Only one process may at a time, and it looks again: another may have done it before. */
async function takeOver(path: string): Promise<void> {
  const mark = `${path}.takeover`
  try {
    await mkdir(mark)
  } catch {
    if (((await ageOf(mark)) ?? 0) > TAKEOVER) await rmdir(mark).catch(() => {})
    await sleep(50)
    return
  }
  try {
    if (await isAbandoned(path)) await remove(path)
  } finally {
    await rmdir(mark).catch(() => {})
  }
}
