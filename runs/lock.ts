/**
 * One writer a run: a `.lock` file that names the process.
 *
 * A process that died (kill -9, power) leaves its lock behind; whoever comes next sees that no such process lives and
 * takes it over. A process is known by its id and its start time, since ids are used again.
 */
import { open, readFile, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf, UserError } from '../core/errors.ts'
import { writeError } from '../core/files.ts'

/** The lock's name within a run. */
export const lockName = '.lock'

/** A takeover lasts milliseconds; a guard older than this was left by a process that died in it. */
const guardSeconds = 10

interface Owner {
  pid: number
  host: string
  /** When the process began, in the system's own unit; null where the system does not tell. */
  begun: string | null
}

/** Takes the lock of a run's directory, waiting up to `patience` seconds for another writer to end. */
export async function takeLock(directory: string, patience = 5): Promise<() => Promise<void>> {
  const path = join(directory, lockName)
  const mine: Owner = { pid: process.pid, host: hostname(), begun: await begunOf(process.pid) }
  const deadline = performance.now() + patience * 1000
  for (;;) {
    if (await create(path, JSON.stringify(mine))) return () => rm(path, { force: true })
    const owner = await ownerOf(path)
    if (owner === undefined) continue // gone between the two looks
    if (owner === 'broken' ? await olderThan(path, guardSeconds) : !(await lives(owner))) {
      await takeOver(path)
      continue
    }
    if (performance.now() > deadline) {
      const who = owner === 'broken' ? 'a process that is starting' : `process ${owner.pid} on ${owner.host}`
      throw new UserError(`The run ${directory} is being written by ${who}.`, {
        fix: `Wait for it to end, or stop it; if it is gone, delete ${path}.`,
      })
    }
    await sleep(100)
  }
}

/** Whether a living process holds the lock of this run. */
export async function isLocked(directory: string): Promise<boolean> {
  const owner = await ownerOf(join(directory, lockName))
  return owner !== undefined && owner !== 'broken' && lives(owner)
}

async function create(path: string, text: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx')
    try {
      await file.writeFile(text)
    } finally {
      await file.close()
    }
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw writeError(path, error)
  }
}

async function ownerOf(path: string): Promise<Owner | 'broken' | undefined> {
  try {
    const owner: unknown = JSON.parse(await readFile(path, 'utf8'))
    if (owner !== null && typeof owner === 'object' && 'pid' in owner) return owner as Owner
    return 'broken'
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? undefined : 'broken'
  }
}

/** Another machine's process cannot be asked, so it counts as living. */
async function lives(owner: Owner): Promise<boolean> {
  if (owner.host !== hostname()) return true
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
  return owner.begun === (await begunOf(owner.pid))
}

/** Start time of a process in clock ticks since boot (Linux), null elsewhere. */
async function begunOf(pid: number): Promise<string | null> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    // Field 22 of the line; a process that has ended but is not yet collected counts as ended.
    return fields[0] === 'Z' ? 'ended' : (fields[19] ?? null)
  } catch {
    return null
  }
}

/** Removes a dead process's lock; the guard keeps two newcomers from removing each other's fresh one. */
async function takeOver(path: string): Promise<void> {
  const guard = `${path}.takeover`
  if (!(await create(guard, ''))) {
    if (await olderThan(guard, guardSeconds)) await rm(guard, { force: true })
    else await sleep(20)
    return
  }
  try {
    const owner = await ownerOf(path)
    if (owner !== undefined && (owner === 'broken' || !(await lives(owner)))) await rm(path, { force: true })
  } finally {
    await rm(guard, { force: true })
  }
}

async function olderThan(path: string, seconds: number): Promise<boolean> {
  try {
    return Date.now() - (await stat(path)).mtimeMs > seconds * 1000
  } catch {
    return false
  }
}
