/**
 * How the rows of a set are reconstructed, one by one: means and 99th percentiles (between two rows by linear
 * interpolation, as NumPy has them) of
 *
 *   error            ‖x − x̂‖
 *   relative_error   ‖x − x̂‖ / ‖x‖
 *   l0               latents that are not 0
 */
import { type Tensor2D, tf } from '../../engine/tf.ts'
import type { Sae } from '../sae.ts'
import { type Quality, QualityMeter } from './quality.ts'

export interface Spread {
  readonly mean: number
  readonly p99: number
}

export interface RowQuality extends Quality {
  readonly row_error: Spread
  readonly row_relative_error: Spread
  readonly row_l0: Spread
  /** Latents that fire on none of the rows. */
  readonly dead: number
}

/** Rows that are worked through at once, so that dense latents fit into memory: about 64 MiB of them. */
const rowsAtOnce = (latents: number) => Math.max(1, Math.floor(2 ** 24 / latents))

/** Quality of an SAE on rows `x` [rows, width], which stay the caller's. */
export function measureRows(sae: Sae, x: Tensor2D): RowQuality {
  const meter = new QualityMeter(sae)
  const rows = x.shape[0]
  const [error, relative, l0] = [0, 1, 2].map(() => new Float32Array(rows)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ]
  const step = rowsAtOnce(sae.latents)
  for (let start = 0; start < rows; start += step)
    tf.tidy(() => {
      const some = x.slice<Tensor2D>([start, 0], [Math.min(step, rows - start), -1])
      meter.add(some)
      const latents = sae.encodeDense(some)
      const errors = tf.sqrt(some.sub(sae.decode(latents, some)).square().sum(1))
      const norms = tf.sqrt(some.square().sum(1))
      error.set(errors.dataSync(), start)
      relative.set(tf.divNoNan(errors, norms).dataSync(), start)
      l0.set(tf.notEqual(latents, 0).cast('float32').sum(1).dataSync(), start)
    })
  const quality = meter.result()
  return {
    ...quality,
    row_error: spreadOf(error),
    row_relative_error: spreadOf(relative),
    row_l0: spreadOf(l0),
    dead: Math.round(quality.dead_share * sae.latents),
  }
}

function spreadOf(values: Float32Array): Spread {
  const sorted = values.slice().sort()
  const place = 0.99 * (sorted.length - 1)
  const [below, above] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!]
  return {
    mean: values.reduce((sum, value) => sum + value, 0) / values.length,
    p99: below + (place - Math.floor(place)) * (above - below),
  }
}
