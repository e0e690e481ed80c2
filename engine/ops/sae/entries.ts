/**
 * Reconstructions from entries (`threshold.ts`), reading only the decoder rows in use, and the start of the way back.
 *
 *   x̂_r = b + Σ_n z_n W[i_n]      g_r = s (x̂_r − y_r)      dz_n = g_r · W[i_n]        over the entries n of row r
 *
 * Unlike in `decode.ts` an entry of value 0 has a gradient, too: a latent just below its threshold is one.
 */
import { type Tensor, type Tensor1D, type Tensor2D, tf } from '../../tf.ts'
import { callOp, canCall, noTensor } from '../native.ts'
import type { Entries } from './threshold.ts'

/** What `entriesDecodeBack` gives. */
export interface EntriesBack {
  /** Gradient of the loss with respect to x̂, [rows, width]: s (x̂ − y). */
  readonly g: Tensor2D
  /** Gradient with respect to each entry's value, [entries]. */
  readonly dz: Tensor1D
  /** Σ (x̂ − y)² of each row. */
  readonly errors: Tensor1D
}

/** The row that each entry is of, [entries] int32. */
export function rowsOf({ starts, indices }: Entries): Tensor1D {
  const from = starts.dataSync()
  const rows = new Int32Array(indices.size)
  for (let row = 0; row + 1 < from.length; row++) rows.fill(row, from[row], from[row + 1])
  return tf.tensor1d(rows, 'int32')
}

/** The number of each entry's latent, of numbers [latents]; [entries]. Its meaning is `gather`. */
export function atEntries(perLatent: Tensor1D, { indices }: Pick<Entries, 'indices'>): Tensor1D {
  if (!canCall('PipelineAtEntries')) return perLatent.gather(indices)
  return callOp('PipelineAtEntries', {}, [perLatent, indices], 1)[0] as Tensor1D
}

/** The meaning of `entriesDecodeBack`, in tfjs ops. */
export function plainEntriesDecodeBack(
  target: Tensor2D,
  entries: Entries,
  weight: Tensor2D,
  bias: Tensor1D | null,
  scale: number,
): EntriesBack {
  return tf.tidy(() => {
    const rows = rowsOf(entries)
    const used: Tensor2D = weight.gather(entries.indices)
    const parts = used.mul<Tensor2D>(entries.values.expandDims(1))
    const sum = tf.unsortedSegmentSum(parts, rows, target.shape[0])
    const error = (bias ? sum.add(bias) : sum).sub(target)
    const g = error.mul(scale)
    const dz = used.mul(g.gather(rows)).sum(1)
    return { g, dz, errors: error.square().sum(1) }
  }) as unknown as EntriesBack
}

/** Decodes and goes back to the entries in one pass. `weight` is [latents, width], `bias` [width] or none. */
export function entriesDecodeBack(
  target: Tensor2D,
  entries: Entries,
  weight: Tensor2D,
  bias: Tensor1D | null,
  scale: number,
): EntriesBack {
  if (!canCall('PipelineEntriesDecodeBack')) return plainEntriesDecodeBack(target, entries, weight, bias, scale)
  const [g, dz, errors, ...none] = decodeBack(target, entries, undefined, weight, bias, scale)
  tf.dispose(none)
  return { g, dz, errors } as EntriesBack
}

/** The same of two sets of values of the same entries, `entries.values` and `more`, while decoder rows are in cache. */
export function entriesDecodeBackTwo(
  target: Tensor2D,
  entries: Entries,
  more: Tensor1D,
  weight: Tensor2D,
  bias: Tensor1D | null,
  scale: number,
): [EntriesBack, EntriesBack] {
  if (!canCall('PipelineEntriesDecodeBack'))
    return [entries, { ...entries, values: more }].map(one =>
      plainEntriesDecodeBack(target, one, weight, bias, scale),
    ) as [EntriesBack, EntriesBack]
  const [g, dz, errors, moreG, moreDz, moreErrors] = decodeBack(target, entries, more, weight, bias, scale)
  return [{ g, dz, errors } as EntriesBack, { g: moreG, dz: moreDz, errors: moreErrors } as EntriesBack]
}

function decodeBack(
  target: Tensor2D,
  { starts, indices, values }: Entries,
  more: Tensor1D | undefined,
  weight: Tensor2D,
  bias: Tensor1D | null,
  scale: number,
): Tensor[] {
  return tf.tidy(() => {
    const inputs = [target, starts, indices, values, more ?? noTensor(), weight, bias ?? noTensor(), tf.scalar(scale)]
    return callOp('PipelineEntriesDecodeBack', { two: more !== undefined }, inputs, 6)
  })
}
