/** The ledger of an SAE: every finished validate run of the store that tested it, whatever its seed and settings. */
import { join } from 'node:path'
import { messageOf } from '../../core/errors.ts'
import type { FinishedRun } from '../../runs/run.ts'
import type { RunStore } from '../../runs/store.ts'
import { type Evidence, readEvidence } from '../../validation/evidence.ts'
import { type LedgerRun, ledgerRun } from '../../validation/judging/ledger.ts'
import { reading } from './reading.ts'

export interface Ledger {
  /** By the time they began. */
  readonly runs: readonly LedgerRun[]
  /** Validate runs whose evidence cannot be read, and why: they are not counted. */
  readonly unreadable: readonly { readonly run: string; readonly reason: string }[]
}

/** The evidence of a validate run, held to its manifest. */
export const evidenceOfRun = (run: FinishedRun): Promise<Evidence> =>
  reading({ ...run, run }, ['evidence.json'], () => readEvidence(join(run.directory, 'evidence.json')))

/** All validate runs of the SAE with this content hash; a run that is there twice counts once. */
export async function readLedger(store: RunStore, saeHash: string, own?: FinishedRun): Promise<Ledger> {
  const { runs } = await store.list()
  const found = new Map<string, LedgerRun>()
  const unreadable: { run: string; reason: string }[] = []
  for (const run of own ? [own, ...runs] : runs) {
    const { id, stage, status, key, started } = run.manifest
    if (stage !== 'validate' || status !== 'finished' || found.has(key)) continue
    try {
      const evidence = await evidenceOfRun(run)
      if (evidence.hashes.sae === saeHash) found.set(key, ledgerRun(id, started, evidence))
    } catch (error) {
      unreadable.push({ run: id, reason: messageOf(error) })
    }
  }
  return { runs: [...found.values()].sort((a, b) => (a.started < b.started ? -1 : 1)), unreadable }
}
