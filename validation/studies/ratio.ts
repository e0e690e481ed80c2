/** A share of an effect: the ratio of two means over the same documents. */
import { Random } from '../../core/random.ts'
import { bootstrap } from '../../statistics/intervals/bootstrap.ts'
import type { Ratio } from '../contracts/common.ts'
import { type AnalysisSettings, finite } from '../judging/analyse.ts'
import { meanInterval } from '../judging/interval.ts'
import { fewestDocuments } from '../rows.ts'

/**
 * Mean of a over mean of b, one value a document each, with a bootstrap interval over documents. Null where b may be nothing (its
 * interval includes 0), since a share of nothing says nothing, and where there are too few documents.
 */
export function ratioOfMeans(
  a: readonly number[],
  b: readonly number[],
  settings: AnalysisSettings,
  ...seed: readonly (string | number)[]
): Ratio | null {
  if (a.length < fewestDocuments) return null
  const options = { draws: settings.bootstrap, level: 1 - settings.alpha }
  const { low, high } = meanInterval(b, { random: new Random(...seed, 'denominator'), ...options })
  if (low === null || high === null || !(low > 0 || high < 0)) return null
  const sumOver = (values: readonly number[], sample: Uint32Array) => sample.reduce((sum, i) => sum + values[i]!, 0)
  const interval = bootstrap(a.length, sample => sumOver(a, sample) / sumOver(b, sample), {
    random: new Random(...seed, 'ratio'),
    ...options,
  })
  const [ratio, from, to] = [interval.estimate, interval.low, interval.high].map(finite)
  return ratio === null || from === null || to === null ? null : { ratio: ratio!, low: from!, high: to! }
}
