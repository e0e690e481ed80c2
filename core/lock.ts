/**
 * One writer at a time in a place, across processes and machines that share a disk.
 *
 * A lock is a folder that holds one file, named at random, in which its owner says who it is and writes a blank every few
 * seconds. It is taken by renaming a folder made beside it, file and all, onto the lock's place: the system allows that
 * only where nothing, or an empty folder, is. The lock of an owner that is gone is freed by removing its file; since no
 * other lock ever has a file of that name, whoever comes late with that removes nothing. So of many that ask at once, for
 * a free lock or for one left behind, exactly one gets it.
 *
 * An owner on this machine is asked for by process id and start time, as ids are used again. An owner elsewhere (another
 * host, a container, this machine before it was started anew) is gone when its file has long not been written; ages are
 * taken between times that the disk itself gave, since clocks of two machines differ.
 */
import { randomUUID } from 'node:crypto'
import { closeSync, fstatSync, openSync, writeSync } from 'node:fs'
import { mkdir, readdir, readFile, readlink, rename, rm, rmdir, stat, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { codeOf, FaultError } from './errors.ts'
import { makeFolder, writeError } from './files.ts'
import { startHeartbeat } from './heartbeat.ts'

/** A lock that is held. */
export interface Lock {
  /** Whether it still is ours: another machine takes it over where this one gave no sign of life for long. */
  held(): Promise<boolean>
  /** Lets it go. */
  release(): Promise<void>
}

export interface LockOptions {
  /** What is locked, as a sentence begins: `The run /runs/run42`. */
  readonly what: string
  /** Seconds to wait for an owner that lives; default 5. One elsewhere is first watched until it is known to live. */
  readonly patience?: number
  /** Told once, where the lock has to be waited for, who holds it. */
  readonly waiting?: (owner: string) => void
  /** Seconds between an owner's signs of life; default 5. */
  readonly beat?: number
  /** Seconds without one after which an owner elsewhere counts as gone; default 60. */
  readonly silence?: number
}

/** Who holds a lock. */
const Owner = z.object({
  pid: z.int(),
  host: z.string(),
  /** The machine since its last start, and the table in which `pid` stands. */
  machine: z.string(),
  /** When the process began, in the system's own unit; null where the system does not tell. */
  begun: z.string().nullable(),
})
type Owner = z.infer<typeof Owner>

/** What stands at a lock's place. */
interface Standing {
  /** The file whose removal frees the lock. */
  readonly file: string
  /** Undefined where it does not say who it is: its process died while it wrote that. */
  readonly owner: Owner | undefined
  /** When its owner last gave a sign, by the disk's clock. */
  readonly sign: number
}

/** A folder of ours beside the lock, to be renamed onto it. */
interface Claim {
  readonly folder: string
  readonly token: string
  readonly file: number
  readonly bytes: number
  /** What to add to this process's clock for the disk's. */
  readonly offset: number
}

/** Takes the lock at `path`; throws a `FaultError`, as trying again later helps, where another keeps it. */
export async function takeLock(path: string, options: LockOptions): Promise<Lock> {
  const { what, patience = 5, beat = 5, silence = 60, waiting } = options
  const deadline = performance.now() + patience * 1000
  const first = new Map<string, number>()
  let told = false
  let claim = await makeClaim(path)
  try {
    for (;;) {
      const outcome = await place(claim, path)
      if (outcome === 'taken') break
      if (outcome === 'lost') {
        await dropClaim(claim)
        claim = await makeClaim(path)
        continue
      }
      const standing = await look(path)
      if (standing === undefined) {
        await sleep(5)
        continue
      }
      const age = (performance.now() + claim.offset - standing.sign) / 1000
      const state = await stateOf(standing.owner, age, silence)
      if (state === 'gone') {
        await unlink(standing.file).catch(ignore('ENOENT', 'ENOTDIR'))
        await rmdir(path).catch(ignore('ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'))
        continue
      }
      const who = nameOf(standing.owner)
      if (!told) waiting?.(who)
      told = true
      // Of an owner elsewhere nothing is known until it gives a sign, or has given none for long.
      if (!first.has(standing.file)) first.set(standing.file, standing.sign)
      const known = state === 'lives' || standing.sign !== first.get(standing.file)
      if (known && performance.now() >= deadline)
        throw new FaultError(`${what} is being written by ${who}.`, {
          fix: 'Wait for it to end, or stop it, and start the same command again.',
        })
      await sleep(100)
    }
  } catch (error) {
    await dropClaim(claim)
    throw error
  }
  const stop = startHeartbeat(claim.file, claim.bytes - 1, beat * 1000)
  await sweep(path, performance.now() + claim.offset - silence * 1000)
  return lockOf(path, claim, stop)
}

/** Does `work` while holding the lock at `path`. */
export async function withLock<T>(path: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  const lock = await takeLock(path, options)
  try {
    return await work()
  } finally {
    await lock.release()
  }
}

/** Whether a file of this name, relative to the folder that holds a lock called `name`, belongs to the lock. */
export function isOfLock(file: string, name: string): boolean {
  const [top = ''] = file.split('/')
  return top === name || (top.startsWith(`${name}.`) && uuid.test(top.slice(name.length + 1)))
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

function lockOf(path: string, { token, file }: Claim, stop: () => Promise<void>): Lock {
  const mine = join(path, token)
  return {
    held: () =>
      stat(mine).then(
        () => true,
        () => false,
      ),
    async release() {
      await stop()
      closeSync(file)
      await unlink(mine).catch(ignore('ENOENT', 'ENOTDIR'))
      await rmdir(path).catch(ignore('ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'))
    },
  }
}

async function makeClaim(path: string): Promise<Claim> {
  const token = randomUUID()
  const folder = `${path}.${token}`
  const text = `${JSON.stringify(await ownOwner())} `
  try {
    await makeFolder(dirname(path))
    await mkdir(folder)
    const file = openSync(join(folder, token), 'wx')
    try {
      writeSync(file, text)
      return {
        folder,
        token,
        file,
        bytes: Buffer.byteLength(text),
        offset: fstatSync(file).mtimeMs - performance.now(),
      }
    } catch (error) {
      closeSync(file)
      throw error
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw writeError(path, error)
  }
}

async function dropClaim({ folder, file }: Claim): Promise<void> {
  closeSync(file)
  await rm(folder, { recursive: true, force: true })
}

/** A claim is `lost` where its folder is gone, swept by others or with all that was around it. */
async function place(claim: Claim, path: string): Promise<'taken' | 'occupied' | 'lost'> {
  try {
    await rename(claim.folder, path)
    return 'taken'
  } catch (error) {
    const code = codeOf(error) ?? ''
    if (code === 'ENOENT') return 'lost'
    if (['ENOTEMPTY', 'EEXIST', 'ENOTDIR', 'EPERM', 'EBUSY'].includes(code)) return 'occupied'
    throw writeError(path, error)
  }
}

/** Undefined where nothing stands in the way any more. A plain file is a lock, too: version 0.1.0 made such. */
async function look(path: string): Promise<Standing | undefined> {
  try {
    const names = await readdir(path).catch(error => {
      if (codeOf(error) === 'ENOTDIR') return undefined
      throw error
    })
    if (names?.length === 0) {
      // Only some systems rename onto an empty folder.
      await rmdir(path).catch(ignore('ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'))
      return undefined
    }
    const file = names ? join(path, names[0]!) : path
    return { file, owner: ownerOf(await readFile(file, 'utf8')), sign: (await stat(file)).mtimeMs }
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
    throw writeError(path, error)
  }
}

function ownerOf(text: string): Owner | undefined {
  try {
    return Owner.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/** `unheard` is an owner whose process cannot be asked for and that may give a sign yet. */
async function stateOf(owner: Owner | undefined, age: number, silence: number): Promise<'lives' | 'gone' | 'unheard'> {
  if (owner && owner.machine === (await machineId())) {
    if (!isProcess(owner.pid)) return 'gone'
    if (owner.begun !== null) return owner.begun === (await begunOf(owner.pid)) ? 'lives' : 'gone'
  }
  return age > silence ? 'gone' : 'unheard'
}

function nameOf(owner: Owner | undefined): string {
  return owner ? `process ${owner.pid} on ${owner.host}` : 'a process that does not say which it is'
}

let own: Promise<Owner> | undefined

function ownOwner(): Promise<Owner> {
  own ??= Promise.all([machineId(), begunOf(process.pid)]).then(([machine, begun]) => {
    return { pid: process.pid, host: hostname(), machine, begun }
  })
  return own
}

/**
 * Tells machines apart, and starts of one, and containers with process tables of their own; a host's name does neither:
 * it changes, and containers share it. Other systems than Linux have no more than the name.
 */
async function machineId(): Promise<string> {
  try {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8')
    return `${boot.trim()} ${await readlink('/proc/self/ns/pid')}`
  } catch {
    return hostname()
  }
}

function isProcess(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
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

/** Removes claims that killed processes left beside the lock, last written before `until` by the disk's clock. */
async function sweep(path: string, until: number): Promise<void> {
  const folder = dirname(path)
  for (const name of await readdir(folder)) {
    if (name === basename(path) || !isOfLock(name, basename(path))) continue
    const left = join(folder, name)
    const info = await stat(left).catch(() => undefined)
    if (info && info.mtimeMs < until) await rm(left, { recursive: true, force: true })
  }
}

function ignore(...codes: string[]): (error: unknown) => void {
  return error => {
    if (!codes.includes(codeOf(error) ?? '')) throw error
  }
}
