/**
 * The interval of a mean over documents: Student's t where they are few, since the bootstrap covers too seldom there, and
 * none for fewer than three; BCa over documents from twenty on.
 */
import type { Random } from '../../core/random.ts'
import { mean, standardDeviation } from '../../statistics/descriptive.ts'
import { studentQuantile } from '../../statistics/distributions/student.ts'
import { bootstrapMean } from '../../statistics/intervals/bootstrap.ts'
import { fewestDocuments } from '../rows.ts'

export interface MeanInterval {
  readonly mean: number | null
  readonly low: number | null
  readonly high: number | null
  readonly method: 'none' | 't' | 'bca' | 'percentile'
}

/** From so many documents on the bootstrap is used. */
const bootstrapDocuments = 20

/** Half the width of Student's interval of a mean at this level. */
export function studentMargin(values: ArrayLike<number>, level: number): number {
  const n = values.length
  return (studentQuantile((1 + level) / 2, n - 1) * standardDeviation(values)) / Math.sqrt(n)
}

/** The interval of the mean of one value a document. */
export function meanInterval(
  values: readonly number[],
  { level, draws, random }: { readonly level: number; readonly draws: number; readonly random: Random },
): MeanInterval {
  if (values.length === 0) return { mean: null, low: null, high: null, method: 'none' }
  const centre = mean(values)
  if (values.length < fewestDocuments) return { mean: centre, low: null, high: null, method: 'none' }
  if (values.length >= bootstrapDocuments) {
    const { low, high, method } = bootstrapMean(values, { random, draws, level })
    return { mean: centre, low, high, method }
  }
  const margin = studentMargin(values, level)
  return { mean: centre, low: centre - margin, high: centre + margin, method: 't' }
}
