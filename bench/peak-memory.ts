/** Peaks of the memory that a process and those it started hold, as Linux counts it. */
import type { ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** Milliseconds between two looks. The process's own peak is the system's count, which misses nothing between them. */
const every = 100

/** MiB at the peaks, which may have been at different moments. */
export interface PeakMemory {
  /** Of the process itself. */
  readonly own: number
  /** What of that is not text and data of files, such as a library's, which the system may drop and read again. */
  readonly anonymous: number
  /** Of those it started, together. */
  readonly children: number
  /** What is not of files, of all of them together. */
  readonly together: number
}

/** Looks at a process until it has ended. Throws where it ends with another code than 0. */
export async function peakMemory(child: ChildProcess): Promise<PeakMemory> {
  const peak = { own: 0, anonymous: 0, children: 0, together: 0 }
  const look = () => {
    const own = memoryOf(child.pid!)
    peak.own = Math.max(peak.own, own.highest)
    peak.anonymous = Math.max(peak.anonymous, own.anonymous)
    const others = descendantsOf(child.pid!).map(memoryOf)
    const sum = (key: 'now' | 'anonymous') => others.reduce((total, one) => total + one[key], 0)
    peak.children = Math.max(peak.children, sum('now'))
    peak.together = Math.max(peak.together, own.anonymous + sum('anonymous'))
  }
  const timer = setInterval(look, every)
  try {
    const code = await new Promise(done => child.once('close', done))
    if (code !== 0) throw new Error(`The process whose memory is measured ended with code ${code}.`)
    return peak
  } finally {
    clearInterval(timer)
  }
}

/** MiB now, the highest so far, and what is not of files now; zeros for a process that is gone. */
function memoryOf(pid: number): { now: number; highest: number; anonymous: number } {
  const status = readOrNothing(`/proc/${pid}/status`)
  const of = (key: string) => Number(new RegExp(`^${key}:\\s*(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 1024
  return { now: of('VmRSS'), highest: of('VmHWM'), anonymous: of('RssAnon') }
}

function descendantsOf(pid: number): number[] {
  let tasks: string[]
  try {
    tasks = readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
  const own = tasks.flatMap(task =>
    readOrNothing(`/proc/${pid}/task/${task}/children`).split(' ').filter(Boolean).map(Number),
  )
  return own.flatMap(child => [child, ...descendantsOf(child)])
}

/** A file of /proc; nothing where its process has ended. */
function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
