/**
 * Controls are measured in rounds, each in all documents, and a kind of which enough have reached as far as the latent is not
 * measured further: its p is then far from small, and known well enough (`statistics/tests/sequential.ts`). Which controls are
 * in a round depends on their order alone.
 */
import { mean } from '../statistics/descriptive.ts'
import { sequentialP } from '../statistics/tests/sequential.ts'
import { alternativeOf, directionOf } from './judging/analyse.ts'
import { groupRows, stoppingExceedances } from './judging/values.ts'
import type { EffectRow, Intervention } from './rows.ts'

/** Controls in place from `start` to `end` among those of their kind. */
export interface Round {
  readonly start: number
  readonly end: number
}

/** Where rounds end. Loss and KL are measured of the first round alone, whatever is found, so that their ranks are of a fixed number. */
const ends = [20, 50, 100, 200]

/** Rounds of so many controls; the first one also where there are none, if it is needed for what is measured beside them. */
export function roundsOf(count: number, isNeeded = false): Round[] {
  if (count === 0) return isNeeded ? [{ start: 0, end: 0 }] : []
  const bounds = [0, ...ends.filter(end => end < count), count]
  return bounds.slice(1).map((end, i) => ({ start: bounds[i]!, end }))
}

/** Whether as many controls of a kind as stop its measuring have an effect as far as the latent's in the claimed direction. */
export function isStopped(rows: readonly EffectRow[], kind: string, intervention: Intervention, dose: number): boolean {
  const { own, controls } = groupRows(
    rows.filter(({ control }) => control === 'feature' || control === kind),
    intervention,
    dose,
  )
  const means = (controls.get(kind) ?? []).map(({ target }) => mean(target))
  const alternative = alternativeOf('target', directionOf(intervention, dose))
  return own.target.length > 0 && sequentialP(mean(own.target), means, stoppingExceedances, alternative).stopped
}
