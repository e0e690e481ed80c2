/**
 * The p of a latent among the controls of a kind, from how far the mean effect of each reaches in the claimed direction.
 *
 * It is the sequential rank. Its smallest value is 1 / (K + 1), and among m claims one alone passes only with p ≤ α / m: where K is
 * too small for that, an effect beyond all controls is given twice the upper bound of a fitted tail if that is smaller: with it
 * controls of heavy tails keep the level, too. At and above 1 / (K + 1) p is as exact as the rank.
 */
import { Random } from '../../core/random.ts'
import { sequentialP } from '../../statistics/tests/sequential.ts'
import { tailP } from '../../statistics/tests/tail.ts'
import type { Comparison } from '../evidence.ts'
import { stoppingExceedances } from './values.ts'

export interface RankSettings {
  readonly alpha: number
  /** Claims tested together; default: one. */
  readonly family?: number
  /** Controls that were drawn but not measured, as another kind had ended it; default: none. */
  readonly unmeasured?: number
  /** Whether the claim was given up after part of its documents; default: it was not. */
  readonly givenUp?: boolean
}

/** From fewer controls no tail is fitted: a quarter of them has to be thirty. */
export const fewestForTail = 120
/** What a tail's upper bound is multiplied by. */
export const boundFactor = 2

/**
 * A bound of p where another kind ended the measuring: as if every control that was not measured reached as far. It is never below
 * the p that all of them would give.
 */
function boundOf(effect: number, controls: readonly number[], planned: number): number {
  const found = controls.reduce((count, value) => count + (value >= effect ? 1 : 0), 0)
  return (1 + found + planned - controls.length) / (planned + 1)
}

/** p, the number of controls that it was read from, and how. */
export function rankAmong(
  effect: number,
  controls: readonly number[],
  { alpha, family = 1, unmeasured = 0, givenUp = false }: RankSettings,
  seed: readonly (string | number)[],
): Pick<Comparison, 'p' | 'used' | 'method'> & { readonly p: number } {
  if (givenUp) return { p: 1, used: controls.length, method: 'look' }
  const { p, used, stopped } = sequentialP(effect, controls, stoppingExceedances, 'greater')
  if (stopped) return { p, used, method: 'stopped' }
  if (unmeasured > 0) return { p: boundOf(effect, controls, controls.length + unmeasured), used, method: 'bound' }
  const least = 1 / (controls.length + 1)
  if (p > least || least * family <= alpha || controls.length < fewestForTail) return { p, used, method: 'rank' }
  const tail = tailP(effect, controls, new Random(...seed))
  const bound = boundFactor * tail.upper
  return tail.method === 'tail' && bound < p ? { p: bound, used, method: 'tail' } : { p, used, method: 'rank' }
}
