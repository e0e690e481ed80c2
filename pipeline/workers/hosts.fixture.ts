/** Worker processes of a process, for tests that kill them. Linux alone. */
import { readdir, readFile } from 'node:fs/promises'

/** Whether a process lives; one that has ended and waits to be collected does not. */
export async function lives(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z')
  return stat.slice(stat.lastIndexOf(')') + 2)[0] !== 'Z'
}

/** Process ids of the living worker processes that `parent` started. */
export async function hostsOf(parent: number): Promise<number[]> {
  const found: number[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = await readFile(`/proc/${name}/stat`, 'utf8')
      const [state, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (Number(ppid) !== parent || state === 'Z') continue
      if ((await readFile(`/proc/${name}/cmdline`, 'utf8')).includes('workers/host')) found.push(Number(name))
    } catch {
      // It ended meanwhile.
    }
  }
  return found
}
