/**
 * Verdicts: what the statistics of a latent say about its claim.
 *
 * Causal: `pass` when, against every required kind of control, q ≤ α in the claimed direction, and the interval over
 * documents of the effect less the mean control's lies beyond the smallest effect of interest, over documents enough to show
 * a sign at α by themselves (2⁻ⁿ ≤ α: an interval of three rests on their being normal). `fail` when the interval
 * against some kind lies wholly short of the smallest effect, or when the rule would have passed an effect of that size with
 * the stated power. `inconclusive` otherwise, and where a kind of control is missing or so few that no rank among them can
 * reach α. `not-run` without documents to measure on. A latent that writes more than twice of what text holds passes nothing.
 */

import { counted } from '../../core/text.ts'
import { leastHeld } from '../claims/held.ts'
import type { Claim, Comparison, FeatureEvidence, InterventionEvidence, Selectivity } from '../evidence.ts'
import { fewestDocuments } from '../rows.ts'
import { showsSign } from './rule.ts'

type Verdict = FeatureEvidence['verdict']
export interface Decision {
  readonly verdict: Verdict
  readonly reason: string
}

/** Kinds of control that a claim must be held to. */
const requiredKinds = ['tied', 'random', 'foreign'] as const

/** How messages call a kind. */
const nameOf: Readonly<Record<string, string>> = {
  tied: 'random directions that fire as often',
  random: 'random directions of equal norm',
  foreign: 'other latents of equal norm',
  matched: 'other latents that fire alike',
  covariance: 'random directions along the values’ variation',
}

/** Why a latent has no claim where claims need a concept. */
const unclaimed = `no labelled concept that ${fewestDocuments} validation documents have shows in what comes next`

const short = (value: number | null) => (value === null ? 'unknown' : String(Number(value.toPrecision(3))))

interface VerdictSettings {
  readonly alpha: number
  readonly smallestEffect: number
  /** Power at which something that was not found is taken not to be there. */
  readonly power: number
}

/** The causal part, from the primary intervention. `claimed` is false for a latent without a concept where claims need one. */
export function causalVerdict(
  evidence: InterventionEvidence | null,
  { alpha, smallestEffect, power: wanted }: VerdictSettings,
  claimed = true,
): Decision {
  if (!claimed) return { verdict: 'not-run', reason: unclaimed }
  if (!evidence || evidence.metrics.target.effect.documents < fewestDocuments)
    return { verdict: 'not-run', reason: `the latent is active in fewer than ${fewestDocuments} validation documents` }
  const { test, power, metrics } = evidence
  const { controls, effect } = metrics.target
  const { documents } = effect
  const sign = test.direction === 'decrease' ? -1 : 1
  const against = controls.map(control => ({ control, ...boundsOf(control, sign) }))
  const shortOf = against.find(({ high }) => high !== null && high < smallestEffect)
  if (shortOf) {
    const [name, most] = [nameOf[shortOf.control.control], shortOf.high!]
    return {
      verdict: 'fail',
      reason:
        most < 0
          ? `as claimed it moves the target less than ${name} do, by at least ${short(-most)} nats`
          : `beyond ${name} it moves the target by at most ${short(most)} nats as claimed, less than ${short(smallestEffect)}`,
    }
  }
  for (const kind of requiredKinds) {
    const count = controls.find(({ control }) => control === kind)?.planned ?? 0
    if (1 / (count + 1) > alpha)
      return {
        verdict: 'inconclusive',
        reason:
          count > 0
            ? `there are ${count} ${nameOf[kind]} to compare with, and no rank among so few is below ${short(1 / (count + 1))}`
            : `there are no ${nameOf[kind]} to compare with${kind === 'foreign' ? ': near copies of its direction and latents that tell its concept are none' : ''}`,
      }
  }
  const ranked = (test.q ?? 1) <= alpha
  const nearest = Math.min(...against.map(({ low }) => low ?? Number.NEGATIVE_INFINITY))
  const smallest = Math.min(...against.map(({ difference }) => difference))
  const beyond = `${short(smallest)} nats beyond the controls`
  if (ranked && nearest > smallestEffect)
    return showsSign(documents, alpha)
      ? { verdict: 'pass', reason: `${beyond}, q ${short(test.q)}` }
      : { verdict: 'inconclusive', reason: `${beyond}, but ${documents} documents cannot show so much as a sign` }
  // Where a kind has ended the measuring, the others have bounds alone.
  const judged = controls.filter(({ method }) => method !== 'bound')
  const hardest = (judged.length > 0 ? judged : controls).reduce((worst, control) =>
    (control.p ?? 1) > (worst.p ?? 1) ? control : worst,
  )
  const found = ranked
    ? `${beyond}, but over documents as little as ${short(nearest)}`
    : `among ${nameOf[hardest.control]} p is ${short(hardest.p)}, and q among ${counted(test.size, 'latent', 'latents')} ${short(test.q)}`
  if (power && power.atSmallestEffect >= wanted)
    return {
      verdict: 'fail',
      reason: `${found}; ${short(smallestEffect)} nats would have been found ${Math.round(100 * power.atSmallestEffect)} times in 100`,
    }
  const mde = power?.minimumDetectableEffect ?? null
  return {
    verdict: 'inconclusive',
    reason: `${found}; ${mde === null ? 'with these controls and documents no effect would be found' : `only effects from ${short(mde)} nats on would be found`}`,
  }
}

/** What keeps a claim from passing whose latent writes more than twice of what is there: nothing where it does not. */
export function notHeld({ discovery: { held } }: Pick<Claim, 'discovery'>): Decision[] {
  if (held === null || held >= leastHeld) return []
  return [
    {
      verdict: 'inconclusive',
      reason: `of what it writes where it is active text holds ${short(held)} along its direction, less than ${leastHeld}: random directions that fire as often take no more than is there, and are no match for it`,
    },
  ]
}

/** The difference from a kind of control and its interval, in the claimed direction. */
function boundsOf({ difference, low, high }: Comparison, sign: number) {
  const [from, to] = sign > 0 ? [low, high] : [high, low]
  return {
    difference: sign * (difference ?? 0),
    low: from === null ? null : sign * from,
    high: to === null ? null : sign * to,
  }
}

/** The selectivity part, once its q is known. */
export function selectivityVerdict(
  {
    auroc,
    low,
    high,
    p,
    q,
    concept,
    nullMaxima,
  }: Pick<Selectivity, 'auroc' | 'low' | 'high' | 'p' | 'q' | 'concept' | 'nullMaxima'>,
  { alpha, minimumAuroc }: { alpha: number; minimumAuroc: number },
): Decision {
  if (auroc === null) return { verdict: 'not-run', reason: `no validation token carries ${concept}` }
  const found = `AUROC for ${concept} is ${short(auroc)} [${short(low)}, ${short(high)}]`
  if ((q ?? 1) > alpha && (p ?? 1) <= 1 / (nullMaxima.length + 1))
    return {
      verdict: 'inconclusive',
      reason: `${found}, better than under every one of ${nullMaxima.length} dealings of the labels, which are too few for q ${short(alpha)} (q ${short(q)})`,
    }
  if ((q ?? 1) > alpha)
    return { verdict: 'fail', reason: `${found}, no better than under shuffled labels (q ${short(q)})` }
  if (low === null || high === null) return { verdict: 'inconclusive', reason: `${found}, in too few documents` }
  if (low >= minimumAuroc) return { verdict: 'pass', reason: found }
  if (high < minimumAuroc) return { verdict: 'fail', reason: `${found}, below ${minimumAuroc}` }
  return { verdict: 'inconclusive', reason: `${found}, which includes ${minimumAuroc}` }
}

/** The worst of the parts: fail before not-run before inconclusive before pass. */
export function overall(parts: readonly Decision[]): Verdict {
  for (const verdict of ['fail', 'not-run', 'inconclusive'] as const)
    if (parts.some(part => part.verdict === verdict)) return verdict
  return 'pass'
}
