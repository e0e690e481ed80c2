/** A control group of Linux that bounds the memory of all processes in it, their files' pages included. */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { codeOf, messageOf, UserError } from '../core/errors.ts'

/** A group without processes, whose bound stands. */
export interface MemoryGroup {
  /** The command that a shell runs in the group, with all that it starts. */
  command(program: string, args: readonly string[]): [string, string[]]
  /** Times that pages of files had to go, or a process had to wait, since the bound was met. */
  met(): number
  /** Processes that were ended since no memory could be had. */
  ended(): number
  /** Removes the group once its processes have ended, for which it waits ten seconds. */
  remove(): Promise<void>
}

/** The files of a group, by the version of control groups. */
interface Kind {
  readonly limit: string
  readonly swap: string
  /** Bytes of memory and swap together, or of swap alone. */
  readonly swapBytes: (bytes: number) => number
  readonly counts: { readonly met: [string, RegExp]; readonly ended: [string, RegExp] }
}

const first: Kind = {
  limit: 'memory.limit_in_bytes',
  swap: 'memory.memsw.limit_in_bytes',
  swapBytes: bytes => bytes,
  counts: { met: ['memory.failcnt', /^(\d+)/], ended: ['memory.oom_control', /^oom_kill (\d+)/m] },
}
const second: Kind = {
  limit: 'memory.max',
  swap: 'memory.swap.max',
  swapBytes: () => 0,
  counts: { met: ['memory.events', /^max (\d+)/m], ended: ['memory.events', /^oom_kill (\d+)/m] },
}

/** Makes a group of so many bytes. A `UserError` where this machine does not let one be made. */
export function memoryGroup(bytes: number, name = `pipeline-bench-${process.pid}`): MemoryGroup {
  const tried: string[] = []
  for (const { kind, parent } of places()) {
    const folder = join(parent, name)
    try {
      mkdirSync(folder)
    } catch (error) {
      tried.push(messageOf(error))
      continue
    }
    try {
      writeFileSync(join(folder, kind.limit), String(bytes))
      writeSwap(join(folder, kind.swap), kind.swapBytes(bytes))
      return groupIn(folder, kind)
    } catch (error) {
      tried.push(messageOf(error))
      rmdirSync(folder)
    }
  }
  throw new UserError(
    `This machine lets no control group be made that bounds memory${tried[0] === undefined ? '' : ` (${tried[0]})`}.`,
    { fix: 'Measure as root on a Linux with control groups, or leave --memory out.' },
  )
}

/** A machine without swap has no such file. */
function writeSwap(path: string, bytes: number): void {
  try {
    writeFileSync(path, String(bytes), { flag: 'r+' })
  } catch (error) {
    if (!/ENOENT|EACCES|EOPNOTSUPP/.test(messageOf(error))) throw error
  }
}

function groupIn(folder: string, { counts }: Kind): MemoryGroup {
  const count = ([file, pattern]: [string, RegExp]) =>
    Number(pattern.exec(readFileSync(join(folder, file), 'utf8'))?.[1] ?? 0)
  return {
    command: (program, args) => [
      'sh',
      ['-c', 'echo $$ > "$0" && exec "$@"', join(folder, 'cgroup.procs'), program, ...args],
    ],
    met: () => count(counts.met),
    ended: () => count(counts.ended),
    remove: () => removed(folder, 100),
  }
}

/** A group is busy until the last of its processes is gone, which may be after the one that started them. */
async function removed(folder: string, tries: number): Promise<void> {
  try {
    rmdirSync(folder)
  } catch (error) {
    if (codeOf(error) !== 'EBUSY' || tries === 1) throw error
    await setTimeout(100)
    await removed(folder, tries - 1)
  }
}

/** Where groups may be: below or beside this process's own, or at the top, in either version. */
function places(): { kind: Kind; parent: string }[] {
  const lines = (path: string) => readFileSync(path, 'utf8').split('\n')
  const mounts = lines('/proc/self/mountinfo').flatMap(line => {
    const [before, after] = line.split(' - ')
    const [type = '', , options = ''] = (after ?? '').split(' ')
    const at = before!.split(' ')[4]
    return at === undefined ? [] : [{ at, type, options: options.split(',') }]
  })
  const own = lines('/proc/self/cgroup').map(line => line.split(':'))
  const groupOf = (of: (controllers: string) => boolean) => own.find(([, controllers]) => of(controllers ?? ''))?.[2]
  const one = mounts.find(({ type, options }) => type === 'cgroup' && options.includes('memory'))
  const two = mounts.find(({ type }) => type === 'cgroup2')
  const ofOne = groupOf(controllers => controllers.split(',').includes('memory')) ?? '/'
  const ofTwo = groupOf(controllers => controllers === '') ?? '/'
  return [
    ...(one ? [join(one.at, ofOne), one.at].map(parent => ({ kind: first, parent })) : []),
    ...(two ? [join(two.at, dirname(ofTwo)), two.at].map(parent => ({ kind: second, parent })) : []),
  ]
}
