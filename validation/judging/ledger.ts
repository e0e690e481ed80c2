/**
 * Verdicts over all runs of one SAE: a latent that was tested before must pass in the family of all of its tests.
 *
 * Each run corrects for its own latents (q). The runs in which the same latent was tested, whatever their seeds and settings,
 * are one family, over which Benjamini and Yekutieli's procedure (2001) is applied to those q, as runs on the same SAE and text
 * depend on each other. Other seeds choose other latents, too: so the runs of an SAE are families of which those with a pass are looked
 * at, and q is multiplied by the number of runs and divided by that of runs with a pass (Benjamini and Bogomolov 2014). A first run is
 * not corrected; whoever tries twenty seeds has a family of twenty, for every one of them.
 * A run's bytes do not depend on which others there are: this is done when a verdict is printed.
 */
import { hashValue } from '../../core/hash.ts'
import { adjust } from '../../statistics/multiplicity/family.ts'
import type { Verdict } from '../contracts/common.ts'
import type { Tier } from '../contracts/tier.ts'
import type { Evidence } from '../evidence.ts'
import { undecidedTier } from './tier.ts'

/** A finished validate run, as far as the ledger goes. */
export interface LedgerRun {
  readonly run: string
  readonly started: string
  readonly seed: number
  readonly features: readonly LedgerEntry[]
}

export interface LedgerEntry {
  readonly feature: number
  readonly verdict: Verdict
  readonly tier: Tier
  /** The tier that it has where its pass does not stand. */
  readonly undecidedTier: Tier
  readonly alpha: number
  /** Of the primary test within its run; null where nothing was tested. */
  readonly q: number | null
  /**
   * What was tested and came out, as a hash: claim, effect, controls and q. A run that did the same again, beside other studies,
   * had no further chance and is no further try.
   */
  readonly test: string
}

/** A latent's verdict in a run, seen among all runs. */
export interface Standing extends Omit<LedgerEntry, 'undecidedTier'> {
  /** Runs that tested it, this one counted, and those that began before this one. */
  readonly runs: number
  readonly earlier: number
  /** Runs of the SAE that tested anything, and those of them with a pass. */
  readonly tried: number
  readonly passing: number
  /** q over the runs that tested it, times `tried` by `passing`. */
  readonly qAcross: number | null
  /** The verdict that stands: `pass` where q across runs is at most α, too. */
  readonly standing: Verdict
  /** The tier that the verdict that stands allows. */
  readonly standingTier: Tier
}

/** What the ledger keeps of a run. */
export function ledgerRun(
  run: string,
  started: string,
  { seed, features }: Pick<Evidence, 'seed' | 'features'>,
): LedgerRun {
  return {
    ...{ run, started, seed },
    features: features.map(feature => {
      const { claim, verdict, tier } = feature
      const primary = feature[claim.primary]
      const q = primary?.test.q ?? null
      return {
        ...{ feature: claim.feature, verdict, tier: tier.tier, undecidedTier: undecidedTier(feature) },
        ...{ alpha: claim.alpha, q, test: hashValue({ claim, target: primary?.metrics.target ?? null, q }) },
      }
    }),
  }
}

/** Standings of the latents of one run among the ledger's runs, of which it is one. */
export function standingsOf(run: string, ledger: readonly LedgerRun[]): Standing[] {
  const own = ledger.find(one => one.run === run)
  if (!own) throw new Error(`The run ${run} is not in its ledger.`)
  const { tried, passing } = triesOf(own, ledger)
  return own.features.map(({ undecidedTier, ...entry }) => {
    const all = ledger.flatMap(({ run, started, features }) =>
      features.flatMap(one =>
        one.feature === entry.feature && one.q !== null ? [{ run, started, q: one.q, test: one.test }] : [],
      ),
    )
    // The same test again is this run's where it is one of them, and otherwise the first one's.
    const tests = all.filter(
      one => one.run === run || (one.test !== entry.test && all.find(({ test }) => test === one.test)!.run === one.run),
    )
    const earlier = tests.filter(test => test.run !== run && test.started < own.started).length
    const place = tests.findIndex(test => test.run === run)
    const qAcross =
      place < 0
        ? null
        : Math.min(
            1,
            (tried / Math.max(1, passing)) *
              adjust(
                `tests of latent ${entry.feature}`,
                tests.map(({ q }) => q),
                'by',
              ).adjusted[place]!,
          )
    const lost = entry.verdict === 'pass' && (qAcross === null || qAcross > entry.alpha)
    return {
      ...entry,
      runs: tests.length,
      earlier,
      tried,
      passing,
      qAcross,
      standing: lost ? 'inconclusive' : entry.verdict,
      standingTier: lost ? undecidedTier : entry.tier,
    }
  })
}

/** Runs that tested something, and those of them with a pass. A run that did nothing but what another one did is no further run. */
function triesOf(own: LedgerRun, ledger: readonly LedgerRun[]): Pick<Standing, 'tried' | 'passing'> {
  const known = new Set<string>()
  let [tried, passing] = [0, 0]
  for (const { features } of [own, ...ledger.filter(one => one !== own)]) {
    const tested = features.filter(({ q }) => q !== null)
    if (tested.every(({ test }) => known.has(test))) continue
    for (const { test } of tested) known.add(test)
    tried++
    if (tested.some(({ verdict }) => verdict === 'pass')) passing++
  }
  return { tried, passing }
}
