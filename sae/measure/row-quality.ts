/**
 * How the rows of a set are reconstructed, one by one, beside the figures of the whole (quality.ts): means and 99th
 * percentiles (between two rows by linear interpolation, as NumPy has them) of
 *
 *   rowError          ‖x − x̂‖
 *   rowRelativeError  ‖x − x̂‖ / ‖x‖, of rows that are not 0
 *   rowL0             latents that are not 0
 */
import { type Tensor2D, tf } from '../../engine/tf.ts'
import { readsSequences } from '../inference.ts'
import type { Sae } from '../sae.ts'
import { type Quality, QualityMeter } from './quality.ts'

/** Null where there are no rows to speak of. */
export interface Spread {
  readonly mean: number | null
  readonly p99: number | null
}

export type RowQuality = Quality & {
  readonly rowError: Spread
  readonly rowRelativeError: Spread
  readonly rowL0: Spread
}

/**
 * Quality of an SAE on rows `x` [rows, width], which stay the caller's; `target` [rows, outputs] is what it has to predict where
 * that is not what it reads. For SAEs that read sequences, so many rows at a time are one (`positions`; default: all).
 */
export function measureRows(sae: Sae, x: Tensor2D, target: Tensor2D = x, positions = x.shape[0]): RowQuality {
  const [errors, relative, active]: [number[], number[], number[]] = [[], [], []]
  const meter = new QualityMeter(sae, row => {
    errors.push(Math.sqrt(row.error))
    if (row.square > 0) relative.push(Math.sqrt(row.error / row.square))
    active.push(row.active)
  })
  const each = readsSequences(sae.architecture) ? positions : x.shape[0]
  for (let start = 0; start < x.shape[0]; start += each) {
    const some = (all: Tensor2D) => all.slice<Tensor2D>([start, 0], [Math.min(each, x.shape[0] - start), -1])
    const [rows, predicted] = [some(x), some(target)]
    meter.measure(sae, rows, predicted)
    tf.dispose([rows, predicted])
  }
  return {
    ...meter.figures(),
    rowError: spreadOf(errors),
    rowRelativeError: spreadOf(relative),
    rowL0: spreadOf(active),
  }
}

function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) return { mean: null, p99: null }
  const sorted = Float64Array.from(values).sort()
  const place = 0.99 * (sorted.length - 1)
  const [below, above] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!]
  return {
    mean: values.reduce((sum, value) => sum + value, 0) / values.length,
    p99: below + (place - Math.floor(place)) * (above - below),
  }
}
