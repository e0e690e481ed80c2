/** The claims of all validate runs, what stands of each over the runs of its SAE, and the families they were tested in. */
import type { z } from 'zod'
import { messageOf } from '../../core/errors.ts'
import { uniformity } from '../../statistics/drift/kolmogorov.ts'
import { type Evidence, readEvidence } from '../../validation/evidence.ts'
import { type LedgerRun, ledgerRun, standingsOf } from '../../validation/judging/ledger.ts'
import type { ClaimLine, Family } from '../api/contracts/evidence.ts'
import type { Runs } from './runs.ts'

export interface AllClaims {
  readonly claims: z.output<typeof ClaimLine>[]
  readonly families: z.output<typeof Family>[]
  readonly unreadable: { run: string; reason: string }[]
}

interface Read {
  readonly id: string
  readonly started: string
  readonly key: string
  readonly evidence: Evidence
}

/** Everything that validate runs claim, by the time they began. A run that cannot be read is named, and not counted. */
export async function allClaims(runs: Runs): Promise<AllClaims> {
  const { runs: all } = await runs.list()
  const unreadable: { run: string; reason: string }[] = []
  const read: Read[] = []
  for (const { manifest } of all) {
    if (manifest.stage !== 'validate' || manifest.status !== 'finished') continue
    try {
      const run = await runs.finished(manifest.id, 'validate')
      const evidence = await runs.kept(run, 'evidence.json', readEvidence)
      read.push({ id: manifest.id, started: manifest.started, key: manifest.key, evidence })
    } catch (error) {
      unreadable.push({ run: manifest.id, reason: messageOf(error) })
    }
  }
  const ledgers = ledgersOf(read)
  return {
    claims: read.flatMap(one => claimsOf(one, ledgers.get(one.evidence.hashes.sae)!)),
    families: read.flatMap(familiesOf),
    unreadable,
  }
}

/** Runs by the SAE they tested; a run that is there twice counts once. */
function ledgersOf(read: readonly Read[]): Map<string, LedgerRun[]> {
  const ledgers = new Map<string, LedgerRun[]>()
  const seen = new Set<string>()
  for (const { id, started, key, evidence } of read) {
    const { sae } = evidence.hashes
    const ledger = ledgers.get(sae) ?? []
    ledgers.set(sae, ledger)
    if (!seen.has(key)) ledger.push(ledgerRun(id, started, evidence))
    seen.add(key)
  }
  return ledgers
}

function claimsOf({ id, started, evidence }: Read, ledger: readonly LedgerRun[]): AllClaims['claims'] {
  // A copy of a run is judged as the one that is counted for it.
  const counted = ledger.some(one => one.run === id) ? ledger : [...ledger, ledgerRun(id, started, evidence)]
  const standings = standingsOf(id, counted)
  return evidence.features.map((feature, i) => {
    const { claim, verdict, tier, reasons } = feature
    const primary = feature[claim.primary]
    const effect = primary?.metrics.target.effect
    const { runs, earlier, qAcross, standing, standingTier } = standings[i]!
    return {
      ...{ run: id, started, feature: claim.feature, hypothesis: claim.hypothesis, concept: claim.concept },
      ...{ stated: claim.stated, intervention: claim.primary, direction: claim.direction },
      ...{ verdict, tier: tier.tier, reasons, wouldChange: tier.wouldChange.map(change => ({ ...change })) },
      ...{ effect: effect?.mean ?? null, low: effect?.low ?? null, high: effect?.high ?? null },
      ...{ documents: effect?.documents ?? 0, p: primary?.test.p ?? null, q: primary?.test.q ?? null },
      ...{ alpha: claim.alpha, smallestEffect: claim.smallestEffect },
      minimumDetectableEffect: primary?.power?.minimumDetectableEffect ?? null,
      power: primary?.power?.atSmallestEffect ?? null,
      ...{ family: primary?.test.size ?? 0, runs, earlier, qAcross, standing, standingTier },
    }
  })
}

/** The families of a run: the main tests of each intervention, their p in order, and the line that BH holds them to. */
function familiesOf({ id, evidence }: Read): AllClaims['families'] {
  return (['ablate', 'steer'] as const).flatMap(intervention => {
    const tested = evidence.features.filter(feature => feature[intervention])
    const p = tested.flatMap(feature => feature[intervention]!.test.p ?? []).sort((a, b) => a - b)
    if (p.length === 0) return []
    const { alpha } = tested[0]!.claim
    return {
      run: id,
      family: tested[0]![intervention]!.test.family,
      size: p.length,
      alpha,
      p,
      line: p.map((_, i) => (alpha * (i + 1)) / p.length),
      uniformity: p.length >= 5 ? uniformity(p) : null,
    }
  })
}
