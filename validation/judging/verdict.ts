/**
 * Verdicts: what the statistics of a latent say about its claim.
 *
 * Causal: `pass` when q ≤ α against every required kind of control, in the claimed direction, and the effect beyond the
 * controls is at least the smallest of interest. `fail` when it is not and the documents would have shown it, that is,
 * when the minimum detectable effect is at most the smallest effect of interest, or at most what the controls do
 * themselves (more documents then change no rank). `inconclusive` otherwise, and where q cannot reach α with so few
 * controls. `not-run` without documents to measure on.
 */

import type { FeatureEvidence, InterventionEvidence, Selectivity } from '../evidence.ts'
import { fewestDocuments } from '../rows.ts'

type Verdict = FeatureEvidence['verdict']
export interface Decision {
  readonly verdict: Verdict
  readonly reason: string
}

const short = (value: number | null) => (value === null ? 'unknown' : String(Number(value.toPrecision(3))))

/** The causal part, from the primary intervention. `claimed` is false for a latent without a concept where claims need one. */
export function causalVerdict(
  evidence: InterventionEvidence | null,
  { alpha, smallestEffect }: { alpha: number; smallestEffect: number },
  claimed = true,
): Decision {
  if (!claimed) return { verdict: 'not-run', reason: 'no labelled concept shows in what comes next' }
  if (!evidence || evidence.metrics.target.effect.documents < fewestDocuments)
    return { verdict: 'not-run', reason: `the latent is active in fewer than ${fewestDocuments} validation documents` }
  const { test, power, metrics } = evidence
  const sign = test.direction === 'decrease' ? -1 : 1
  const beyond = metrics.target.controls.map(({ difference }) => sign * (difference ?? 0))
  const smallest = Math.min(...beyond)
  const mde = power.minimumDetectableEffect ?? Infinity
  if (metrics.target.controls.length === 0)
    return { verdict: 'not-run', reason: 'there are no controls to compare with' }
  if ((test.q ?? 1) <= alpha) {
    if (!test.asClaimed)
      return {
        verdict: 'fail',
        reason: `the target moves beyond the controls, but against the claim (q ${short(test.q)})`,
      }
    if (smallest < smallestEffect)
      return {
        verdict: 'fail',
        reason: `the effect beyond the controls is ${short(smallest)} nats, less than ${smallestEffect}`,
      }
    return { verdict: 'pass', reason: `${short(smallest)} nats beyond the controls, q ${short(test.q)}` }
  }
  const fewest = Math.min(...metrics.target.controls.map(({ count }) => count))
  if (
    test.asClaimed &&
    (test.p ?? 1) <= alpha &&
    (test.p ?? 1) * test.size > alpha &&
    (test.p ?? 1) <= 2 / (fewest + 1)
  )
    return {
      verdict: 'inconclusive',
      reason: `p ${short(test.p)} is about the least that ${fewest} controls allow, and ${test.size} latents make it q ${short(test.q)}`,
    }
  const critical = Math.max(...metrics.target.controls.map(value => value.critical ?? 0))
  if (mde <= Math.max(smallestEffect, critical))
    return {
      verdict: 'fail',
      reason: `controls do as much (p ${short(test.p)}); an effect of ${short(mde)} nats would have been found`,
    }
  return {
    verdict: 'inconclusive',
    reason: `p ${short(test.p)}, but only effects from ${short(mde)} nats on would have been found`,
  }
}

/** The selectivity part, once its q is known. */
export function selectivityVerdict(
  { auroc, low, high, q, concept }: Pick<Selectivity, 'auroc' | 'low' | 'high' | 'q' | 'concept'>,
  { alpha, minimumAuroc }: { alpha: number; minimumAuroc: number },
): Decision {
  if (auroc === null) return { verdict: 'not-run', reason: `no validation token carries ${concept}` }
  const found = `AUROC for ${concept} is ${short(auroc)} [${short(low)}, ${short(high)}]`
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
