/**
 * BatchTopK's choice: the `count` largest of the latents that were found, over all rows, however they fall on the rows. Of
 * equal values at the edge the first stay: lower rows, then lower places. Values of zero and below are never kept.
 */
import { type Tensor2D, tf } from '../../tf.ts'
import { callOp, canCall } from '../native.ts'
import type { ChosenLatents } from './encode.ts'

/** What `keepLargest` gives: [rows, most] both, where `most` is what the fullest row kept; the rest of a row is 0. */
export interface KeptLatents extends ChosenLatents {
  /** The smallest value kept; infinity where none was. */
  readonly smallest: number
  /** Some row kept, or might have kept but for a tie, all that was found of it: there may be more in it. */
  readonly full: boolean
  /** There were `count` positive values. */
  readonly enough: boolean
  readonly most: number
}

/** The meaning of `keepLargest`, on the host. */
export function plainKeepLargest({ values, indices }: ChosenLatents, count: number): KeptLatents {
  const [rows, k] = values.shape
  const [found, at] = [values.dataSync() as Float32Array, indices.dataSync() as Int32Array]
  const order = [...found.keys()].filter(i => found[i]! > 0).sort((a, b) => found[b]! - found[a]! || a - b)
  const kept = order.slice(0, count).sort((a, b) => a - b)
  const smallest = kept.reduce((least, i) => Math.min(least, found[i]!), Number.POSITIVE_INFINITY)
  const byRow = Array.from({ length: rows }, (_, row) => kept.filter(i => Math.floor(i / k) === row))
  const most = Math.max(1, ...byRow.map(row => row.length))
  const keptValues = new Float32Array(rows * most)
  const keptIndices = new Int32Array(rows * most)
  for (const [row, places] of byRow.entries())
    for (const [n, i] of places.entries()) {
      keptValues[row * most + n] = found[i]!
      keptIndices[row * most + n] = at[i]!
    }
  const edge = kept.length === count ? smallest : 0
  const full =
    count > 0 && byRow.some((_, row) => found.subarray(row * k, (row + 1) * k).every(v => v > 0 && v >= edge))
  return {
    values: tf.tensor2d(keptValues, [rows, most]),
    indices: tf.tensor2d(keptIndices, [rows, most], 'int32'),
    smallest,
    full,
    enough: kept.length === count,
    most,
  }
}

/** The `count` largest of the latents found; its tensors are the caller's. */
export function keepLargest(found: ChosenLatents, count: number): KeptLatents {
  if (!canCall('PipelineKeepLargest')) return plainKeepLargest(found, count)
  const wanted = tf.scalar(count, 'int32')
  const [values, indices, report] = callOp('PipelineKeepLargest', {}, [found.values, found.indices, wanted], 3)
  const [smallest, full, enough, most] = report!.dataSync() as Float32Array
  tf.dispose([wanted, report!])
  return {
    values: values as Tensor2D,
    indices: indices as Tensor2D,
    smallest: smallest!,
    full: full === 1,
    enough: enough === 1,
    most: most!,
  }
}
