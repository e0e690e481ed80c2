/** How far the values at a site reach along directions, token by token: what latents of such directions would fire on. */
import { breathe } from '../core/stage.ts'
import { windowBatches } from '../datasets/batches.ts'
import type { TokenWindow } from '../datasets/document.ts'
import { onHost } from '../engine/host.ts'
import { tf } from '../engine/tf.ts'
import type { Model } from '../model/model.ts'
import {
  type Activations,
  type EncodeWindowsOptions,
  firstPosition,
  siteRows,
  throwIfInterrupted,
} from './activations.ts'

/** Values at a site, less a centre: every token after position 0, by window, then position. */
export interface SiteValues {
  readonly windows: readonly TokenWindow[]
  /** Tokens read. */
  readonly tokens: number
  readonly width: number
  /** [tokens, width]. */
  readonly values: Float32Array
}

/** Projections of the tokens of some windows, direction by direction. */
export interface Projections {
  readonly windows: readonly TokenWindow[]
  readonly tokens: number
  readonly directions: number
  /** Values [directions, tokens]. */
  readonly values: Float32Array
}

/** x − centre at a site for every token after position 0. */
export async function siteValues(
  model: Model,
  site: string,
  windows: readonly TokenWindow[],
  centre: Float32Array,
  { batchTokens, signal, onBatch }: EncodeWindowsOptions,
): Promise<SiteValues> {
  const width = centre.length
  const rowStart = new Map<TokenWindow, number>()
  let tokens = 0
  for (const window of windows) {
    rowStart.set(window, tokens)
    tokens += Math.max(0, window.tokens.length - firstPosition)
  }
  const values = new Float32Array(tokens * width)
  let done = 0
  for (const batch of windowBatches(windows, batchTokens)) {
    await breathe()
    throwIfInterrupted(signal)
    const found = onHost(() => {
      const ids = tf.tensor2d(batch.tokens, [batch.windows.length, batch.length], 'int32')
      return siteRows(model, site, ids).sub(tf.tensor1d(centre)).dataSync<'float32'>() as Float32Array
    })
    batch.windows.forEach((window, b) => {
      const from = (b * batch.length + firstPosition) * width
      const count = Math.max(0, window.tokens.length - firstPosition)
      values.set(found.subarray(from, from + count * width), rowStart.get(window)! * width)
    })
    done += batch.windows.length
    onBatch?.(done)
  }
  return { windows, tokens, width, values }
}

/** (x − centre) · direction for each of the directions [directions, width]. */
export function project({ windows, tokens, width, values }: SiteValues, directions: Float32Array): Projections {
  const count = directions.length / width
  const found = onHost(
    () =>
      tf
        .tensor2d(directions, [count, width])
        .matMul(tf.tensor2d(values, [tokens, width]), false, true)
        .dataSync<'float32'>() as Float32Array,
  )
  return { windows, tokens, directions: count, values: found }
}

/** The value that `share` of the tokens exceed along each direction. */
export function thresholdsAt({ directions, tokens, values }: Projections, share: number): Float32Array {
  const above = Math.min(tokens - 1, Math.max(1, Math.round(share * tokens)))
  return Float32Array.from({ length: directions }, (_, c) => {
    const sorted = values.slice(c * tokens, (c + 1) * tokens).sort()
    return sorted[tokens - 1 - above]!
  })
}

/**
 * Activations of latents that fire where a projection exceeds its threshold, with the projection as their value, or what it
 * has beyond the threshold.
 */
export function activationsAbove(
  { windows, tokens, directions, values }: Projections,
  thresholds: Float32Array,
  value: 'projection' | 'excess',
): Activations {
  const offsets = new Float64Array(directions + 1)
  const window: number[] = []
  const position: number[] = []
  const found: number[] = []
  for (let c = 0; c < directions; c++) {
    let row = c * tokens
    windows.forEach((one, w) => {
      for (let p = firstPosition; p < one.tokens.length; p++, row++) {
        if (!(values[row]! > thresholds[c]!)) continue
        window.push(w)
        position.push(p)
        found.push(value === 'projection' ? values[row]! : values[row]! - thresholds[c]!)
      }
    })
    offsets[c + 1] = found.length
  }
  return {
    windows,
    tokens,
    latents: directions,
    offsets,
    window: Uint32Array.from(window),
    position: Uint16Array.from(position),
    value: Float32Array.from(found),
  }
}
