/**
 * Controls are measured in rounds, each in all documents. A kind of which enough have reached as far as the latent ends the
 * measuring: its p is then far from small, and known well enough (`statistics/tests/sequential.ts`), and since all kinds must be
 * beaten, so is the claim's. Which controls are in a round depends on their order alone.
 */
import { mean } from '../statistics/descriptive.ts'
import { sequentialP } from '../statistics/tests/sequential.ts'
import { alternativeOf, claimedDirection, type Directed } from './judging/analyse.ts'
import { intervalAgainst } from './judging/paired.ts'
import { groupRows, stoppingExceedances } from './judging/values.ts'
import type { EffectRow, Intervention } from './rows.ts'

/** Controls in place from `start` to `end` among those of their kind. */
export interface Round {
  readonly start: number
  readonly end: number
}

/** Controls of the first round. Loss and KL are measured of these alone, whatever is found, so that their ranks are of a fixed number. */
export const firstRound = 20
/** Where rounds end. */
const ends = [firstRound, 50, 100, 200]

/** Rounds of so many controls; the first one also where there are none, if it is needed for what is measured beside them. */
export function roundsOf(count: number, isNeeded = false): Round[] {
  if (count === 0) return isNeeded ? [{ start: 0, end: 0 }] : []
  const bounds = [0, ...ends.filter(end => end < count), count]
  return bounds.slice(1).map((end, i) => ({ start: bounds[i]!, end }))
}

/** Whether as many controls of a kind as stop its measuring have an effect as far as the latent's in the claimed direction. */
export function isStopped(
  rows: readonly EffectRow[],
  kind: string,
  claim: Directed,
  intervention: Intervention,
): boolean {
  const dose = intervention === 'ablate' ? 0 : claim.dose
  const { own, controls } = groupRows(
    rows.filter(({ control }) => control === 'feature' || control === kind),
    intervention,
    dose,
  )
  const means = (controls.get(kind) ?? []).map(({ target }) => mean(target))
  const alternative = alternativeOf('target', claimedDirection(claim, intervention, dose))
  return own.target.length > 0 && sequentialP(mean(own.target), means, stoppingExceedances, alternative).stopped
}

/**
 * Whether a claim has failed on part of its documents already: its effect less that of the controls of a kind lies short of the
 * smallest effect of interest, with the interval that this look has (`judging/looks.ts`).
 */
export function isGivenUp(
  rows: readonly EffectRow[],
  claim: Directed & { readonly smallestEffect: number },
  intervention: Intervention,
  level: number,
): boolean {
  const dose = intervention === 'ablate' ? 0 : claim.dose
  const sign = claimedDirection(claim, intervention, dose) === 'decrease' ? -1 : 1
  const { own, controls } = groupRows(rows, intervention, dose)
  if (own.target.length === 0) return false
  return [...controls].some(([kind, each]) => {
    const { low, high } = intervalAgainst(
      kind,
      own.target,
      each.map(({ target }) => target),
      level,
    )
    const most = sign > 0 ? high : low
    return most !== null && sign * most < claim.smallestEffect
  })
}
