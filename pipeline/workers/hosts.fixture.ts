/** Worker processes of a process, for tests that kill them. Linux alone. */
import { readdir, readFile } from 'node:fs/promises'

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
