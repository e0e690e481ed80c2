/** Which runs of a schedule may go, so that nothing is removed that a run which stays was made from. */
import { randomUUID } from 'node:crypto'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { withLock } from '../../core/lock.ts'
import { discardedPrefix, lockName } from '../../runs/folder.ts'
import type { FinishedRun } from '../../runs/run.ts'
import type { RunStore } from '../../runs/store.ts'
import type { Line } from './book.ts'

/** Runs that a line's comparison with the last accepted time is kept in. */
const comparisonsOf = ({ comparison }: Pick<Line, 'comparison'>): string[] =>
  (comparison?.drifts ?? []).flatMap(({ run }) => run ?? [])

/** Runs of a line, whatever its stages. */
const runsOf = (line: Pick<Line, 'runs' | 'comparison'>): string[] => [
  ...Object.values(line.runs).flat(),
  ...comparisonsOf(line),
]

/**
 * Ids of runs that may go: those of the journal's times before its last `keep`, unless one of the last accepted time, or one
 * that a run was made from which stays, directly or further back; a comparison with an older time keeps that one from going no
 * longer than `keep` does. Runs that no time made always stay.
 */
export function removable(journal: readonly Line[], keep: number, all: readonly FinishedRun[]): string[] {
  const done = journal.filter(line => runsOf(line).length > 0)
  const recent = new Set(done.slice(-keep).flatMap(runsOf))
  const accepted = new Set(
    runsOf(done.findLast(({ verdict }) => verdict === 'accepted') ?? { runs: {}, comparison: null }),
  )
  const old = new Set(done.flatMap(runsOf).filter(id => !recent.has(id) && !accepted.has(id)))
  const comparisons = new Set(journal.flatMap(comparisonsOf))
  const byId = new Map(all.map(run => [run.manifest.id, run]))
  const needed = new Set<string>()
  const need = (id: string) => {
    if (needed.has(id)) return
    needed.add(id)
    if (comparisons.has(id)) return
    for (const { run } of byId.get(id)?.manifest.inputs ?? []) if (run !== undefined) need(run)
  }
  for (const { manifest } of all) if (!old.has(manifest.id)) need(manifest.id)
  return [...old].filter(id => byId.get(id)?.manifest.status === 'finished' && !needed.has(id)).sort()
}

/** Removes runs as a whole: out of the way in one step first, so that nobody finds half of one. */
export async function removeRuns(store: RunStore, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const directory = join(store.directory, id)
    const away = join(store.directory, `${discardedPrefix}${randomUUID()}`)
    await withLock(join(directory, lockName), { what: `The run ${directory}` }, () => rename(directory, away))
    await rm(away, { recursive: true, force: true })
  }
}
