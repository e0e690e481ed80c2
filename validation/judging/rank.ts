/**
 * The p of a latent among the controls of a kind, from how far the mean effect of each reaches in the claimed direction.
 *
 * It is the sequential rank. Its smallest value is 1 / (K + 1), and among m claims one alone passes only with p ≤ α / m: where K is
 * too small for that, an effect beyond all controls is given the upper bound of a fitted tail if that is smaller. At and above
 * 1 / (K + 1) p is as exact as the rank.
 */
import { Random } from '../../core/random.ts'
import { sequentialP } from '../../statistics/tests/sequential.ts'
import { tailP } from '../../statistics/tests/tail.ts'
import type { Comparison } from '../evidence.ts'
import { stoppingExceedances } from './values.ts'

/** From fewer controls no tail is fitted: a quarter of them has to be thirty. */
export const fewestForTail = 120

/** p, the number of controls that it was read from, and how. */
export function rankAmong(
  effect: number,
  controls: readonly number[],
  { alpha, family = 1 }: { readonly alpha: number; readonly family?: number },
  seed: readonly (string | number)[],
): Pick<Comparison, 'p' | 'used' | 'method'> & { readonly p: number } {
  const { p, used, stopped } = sequentialP(effect, controls, stoppingExceedances, 'greater')
  if (stopped) return { p, used, method: 'stopped' }
  const least = 1 / (controls.length + 1)
  if (p > least || least * family <= alpha || controls.length < fewestForTail) return { p, used, method: 'rank' }
  const tail = tailP(effect, controls, new Random(...seed))
  return tail.method === 'tail' && tail.upper < p
    ? { p: tail.upper, used, method: 'tail' }
    : { p, used, method: 'rank' }
}
