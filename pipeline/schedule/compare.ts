/** How the runs of a time compare with those of the last accepted one. */
import type { RunStore } from '../../runs/store.ts'
import { figuresOf } from '../stages/stage.ts'
import type { Line } from './book.ts'

/**
 * The figures of the runs' summaries that differ from those of the last time that was accepted; null where there is none, or
 * where the runs are the same ones.
 */
export async function compare(store: RunStore, journal: readonly Line[], line: Line): Promise<Line['comparison']> {
  const before = journal.findLast(({ verdict }) => verdict === 'accepted')
  if (!before || JSON.stringify(before.runs) === JSON.stringify(line.runs)) return null
  const figures: NonNullable<Line['comparison']>['figures'] = []
  for (const [stage, ids] of Object.entries(line.runs))
    for (const [i, id] of ids.entries()) {
      const old = before.runs[stage]?.[i]
      if (old === undefined || old === id) continue
      const [was, is] = await Promise.all([old, id].map(one => store.find(one).catch(() => undefined)))
      if (!was || !is) continue
      const known = new Map(figuresOf(was.manifest.summary))
      for (const [figure, now] of figuresOf(is.manifest.summary)) {
        const value = known.get(figure)
        if (typeof now === 'number' && typeof value === 'number' && now !== value)
          figures.push({ stage, figure, before: value, now })
      }
    }
  return { due: before.due, drift: null, figures }
}
