/** Comparisons of two runs that a store keeps: drift runs that were made from both as they are now. */
import { join } from 'node:path'
import { NotThereError, UserError } from '../../core/errors.ts'
import { type Drift, driftFile, readDrift } from '../../runs/drift.ts'
import type { FinishedRun } from '../../runs/run.ts'
import type { Runs } from './runs.ts'

/** Stages whose runs can be compared. */
export const comparedStages = ['capture', 'train', 'import', 'validate']

/** A comparison, and the runs that hold one of the same two, newest first. */
export interface KeptDrift {
  readonly run: FinishedRun
  readonly runs: readonly string[]
  readonly drift: Drift
}

/**
 * The comparison of two runs that was asked for, else the newest. A `NotThereError` with the command that makes one where there
 * is none, or where one of the two was made anew since.
 */
export async function keptDrift(
  runs: Runs,
  base: FinishedRun,
  now: FinishedRun,
  wanted?: string | undefined,
): Promise<KeptDrift> {
  const [a, b] = [base.manifest.id, now.manifest.id]
  const fix = `pipeline runs drift ${a} ${b}`
  const finished = (await runs.list()).runs.filter(
    ({ manifest }) => manifest.stage === 'drift' && manifest.status === 'finished',
  )
  const input = ({ manifest }: FinishedRun, role: string) => manifest.inputs.find(one => one.role === role)
  const named = finished.filter(run => input(run, 'a')?.run === a && input(run, 'b')?.run === b).reverse()
  const [hashA, hashB] = [runs.contentHash(base.manifest), runs.contentHash(now.manifest)]
  const current = named.filter(run => input(run, 'a')!.sha256 === hashA && input(run, 'b')!.sha256 === hashB)
  if (current.length === 0)
    throw new NotThereError(
      named.length === 0
        ? `Nobody has compared ${a} and ${b}.`
        : `${named[0]!.manifest.id} compared ${a} and ${b} as they were; one of them was made anew since.`,
      { fix },
    )
  const chosen = wanted === undefined ? current[0] : current.find(({ manifest }) => manifest.id === wanted)
  if (!chosen)
    throw new NotThereError(`${wanted} is no comparison of ${a} and ${b}.`, {
      fix: `Name ${current.map(({ manifest }) => manifest.id).join(' or ')}.`,
    })
  const run = await runs.finished(chosen.manifest.id, 'drift')
  const drift = await driftIn(runs, run)
  if (drift.a.sha256 !== hashA || drift.b.sha256 !== hashB)
    throw new UserError(`The file ${driftFile} of ${run.manifest.id} is of other runs than its manifest says.`, { fix })
  return { run, runs: current.map(({ manifest }) => manifest.id), drift }
}

/** The result of a drift run, held to its manifest. */
export const driftIn = (runs: Runs, run: FinishedRun): Promise<Drift> =>
  runs.kept(run, driftFile, () => readDrift(join(run.directory, driftFile)))
