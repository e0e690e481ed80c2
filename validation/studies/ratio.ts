/** A share of an effect: the ratio of two means over the same documents. */
import { pairedMeanRatio } from '../../statistics/intervals/mean-ratio.ts'
import type { Ratio } from '../contracts/common.ts'
import { fewestDocuments } from '../rows.ts'

/**
 * Mean of a over mean of b, one value a document each, with Fieller's interval over documents. Null where b may be nothing,
 * since a share of nothing says nothing, and where there are too few documents.
 */
export function ratioOfMeans(a: readonly number[], b: readonly number[], level: number): Ratio | null {
  if (a.length < fewestDocuments) return null
  const { ratio, low, high } = pairedMeanRatio(a, b, level)
  return ratio === null || low === null || high === null ? null : { ratio, low, high }
}
