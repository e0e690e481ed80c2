/**
 * Intervals over documents as evidence holds them: Student's, which covers at its level at every number of documents, where
 * the bootstrap's are too narrow up to about sixty (docs/statistics.md); none where documents are too few.
 */
import { mean } from '../../statistics/descriptive.ts'
import { welchInterval } from '../../statistics/intervals/difference.ts'
import {
  type MeanInterval as StudentInterval,
  meanInterval as studentInterval,
} from '../../statistics/intervals/mean.ts'
import { fewestDocuments } from '../rows.ts'

export interface MeanInterval {
  readonly mean: number | null
  readonly low: number | null
  readonly high: number | null
  readonly method: 'none' | 't'
}

/** The interval of the mean of one value a document; documents that do not vary agree on a point. */
export function meanInterval(values: readonly number[], level: number): MeanInterval {
  if (values.length === 0) return { mean: null, low: null, high: null, method: 'none' }
  if (values.length < fewestDocuments) return { mean: mean(values), low: null, high: null, method: 'none' }
  return bounded(studentInterval(values, level))
}

/**
 * The interval of the difference of two means, of which documents and directions are both a sample: a latent's effects over
 * its documents, and other directions' mean effects. Where they share documents `first` is the latent's effect less the mean
 * control's in each, and `second` is centred.
 */
export function differenceInterval(first: readonly number[], second: readonly number[], level: number): MeanInterval {
  if (Math.min(first.length, second.length) < fewestDocuments)
    return { mean: mean(first) - mean(second), low: null, high: null, method: 'none' }
  return bounded(welchInterval(first, second, level))
}

function bounded({ estimate, low, high }: StudentInterval): MeanInterval {
  return { mean: estimate, low: low ?? estimate, high: high ?? estimate, method: 't' }
}
