/** How the runs of a time compare with those of the last accepted one. */
import type { FinishedRun } from '../../runs/run.ts'
import type { RunStore } from '../../runs/store.ts'
import { figuresOf } from '../stages/stage.ts'
import type { Line } from './book.ts'

/** Cells that drifted of those that could be tested, and the run that says which; or why nothing could be compared. */
export type Drifted =
  | { readonly drifted: number; readonly tested: number; readonly run: string }
  | { readonly problem: string }

/** Tells whether two runs are of one distribution. */
export type FindDrift = (before: string, now: string) => Promise<Drifted>

type Comparison = NonNullable<Line['comparison']>

/**
 * The figures of the runs' summaries that differ from those of the last time that was accepted, and whether captures, and
 * evidence of one SAE, drifted; null where there is none, or where the runs are the same ones.
 */
export async function compare(
  store: RunStore,
  journal: readonly Line[],
  line: Pick<Line, 'runs'>,
  findDrift: FindDrift,
): Promise<Line['comparison']> {
  const before = journal.findLast(({ verdict }) => verdict === 'accepted')
  if (!before || JSON.stringify(before.runs) === JSON.stringify(line.runs)) return null
  const figures: Comparison['figures'] = []
  const drifts: Comparison['drifts'] = []
  for (const [stage, ids] of Object.entries(line.runs))
    for (const [i, id] of ids.entries()) {
      const old = before.runs[stage]?.[i]
      if (old === undefined || old === id) continue
      const [was, is] = await Promise.all([old, id].map(one => store.find(one).catch(() => undefined)))
      if (!was || !is) continue
      figures.push(...changesOf(stage, was, is))
      if (!canDrift(stage, was, is)) continue
      const found = await findDrift(old, id)
      const told =
        'problem' in found ? { drifted: null, tested: null, run: null, ...found } : { ...found, problem: null }
      drifts.push({ stage, before: old, now: id, ...told })
    }
  const drift = drifts.some(({ drifted }) => (drifted ?? 0) > 0)
  const tested = drifts.some(({ tested }) => (tested ?? 0) > 0)
  return { due: before.due, drift: tested ? drift : null, drifts, figures }
}

function changesOf(stage: string, was: FinishedRun, is: FinishedRun): Comparison['figures'] {
  const known = new Map(figuresOf(was.manifest.summary))
  return figuresOf(is.manifest.summary).flatMap(([figure, now]) => {
    const before = known.get(figure)
    return typeof now === 'number' && typeof before === 'number' && now !== before
      ? [{ stage, figure, before, now }]
      : []
  })
}

/** Captures can be compared, and evidence where it is of one SAE: latents of two are not the same ones. */
function canDrift(stage: string, was: FinishedRun, is: FinishedRun): boolean {
  const saeOf = ({ manifest }: FinishedRun) => manifest.inputs.find(({ role }) => role === 'sae')?.sha256
  return stage === 'capture' || (stage === 'validate' && saeOf(was) === saeOf(is))
}
