/** How far the values at a site reach along directions, token by token: what latents of such directions would fire on. */
import { breathe } from '../core/stage.ts'
import { type WindowBatch, windowBatches } from '../datasets/batches.ts'
import type { TokenWindow } from '../datasets/document.ts'
import { onHost } from '../engine/host.ts'
import { type Tensor2D, tf } from '../engine/tf.ts'
import type { Model } from '../model/model.ts'
import type { Sae, SparseLatents } from '../sae/sae.ts'
import { orderStatistic } from '../statistics/descriptive.ts'
import {
  type Activations,
  type EncodeWindowsOptions,
  encodeWindows,
  firstPosition,
  siteRows,
  throwIfInterrupted,
} from './activations.ts'

/** Rows that are encoded at once. */
const encodedRows = 8192

/** Values at a site, less a centre: every token after position 0, by window, then position. */
export interface SiteValues {
  readonly windows: readonly TokenWindow[]
  /** Tokens read. */
  readonly tokens: number
  readonly width: number
  /** [tokens, width]. */
  readonly values: Float32Array
  /** The values that these were read as: the same for all that differ by their centre alone, and so do not in how they spread. */
  readonly read: Float32Array
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
  { batchTokens, signal, onBatch }: Omit<EncodeWindowsOptions, 'onRows'>,
): Promise<SiteValues> {
  const read = valuesFor(windows, centre)
  let done = 0
  for (const batch of windowBatches(windows, batchTokens)) {
    await breathe()
    throwIfInterrupted(signal)
    onHost(() => {
      const ids = tf.tensor2d(batch.tokens, [batch.windows.length, batch.length], 'int32')
      read.add(batch, siteRows(model, site, ids))
    })
    done += batch.windows.length
    onBatch?.(done)
  }
  return read.values
}

/** What the SAE's latents say of windows, and x − centre there, from one pass of the model. */
export async function encodeWithValues(
  model: Model,
  sae: Sae,
  windows: readonly TokenWindow[],
  centre: Float32Array,
  options: Omit<EncodeWindowsOptions, 'onRows'>,
): Promise<{ activations: Activations; values: SiteValues }> {
  const read = valuesFor(windows, centre)
  return {
    activations: await encodeWindows(model, sae, windows, { ...options, onRows: read.add }),
    values: read.values,
  }
}

/** Values less a centre, as `add` is given rows of them [windows · length, width], in a tidy. */
function valuesFor(windows: readonly TokenWindow[], centre: Float32Array) {
  const width = centre.length
  const rowStart = new Map<TokenWindow, number>()
  let tokens = 0
  for (const window of windows) {
    rowStart.set(window, tokens)
    tokens += Math.max(0, window.tokens.length - firstPosition)
  }
  const values = new Float32Array(tokens * width)
  const add = (batch: WindowBatch, rows: Tensor2D) => {
    const found = rows.sub(tf.tensor1d(centre)).dataSync<'float32'>() as Float32Array
    batch.windows.forEach((window, b) => {
      const from = (b * batch.length + firstPosition) * width
      const count = Math.max(0, window.tokens.length - firstPosition)
      values.set(found.subarray(from, from + count * width), rowStart.get(window)! * width)
    })
  }
  return { values: { windows, tokens, width, values, read: values }, add }
}

/** The same values less another centre [width]. */
export function recentre(site: SiteValues, from: Float32Array, to: Float32Array): SiteValues {
  if (from.every((value, j) => value === to[j])) return site
  const { width } = site
  const values = new Float32Array(site.values.length)
  for (let i = 0; i < values.length; i++) values[i] = site.values[i]! + (from[i % width]! - to[i % width]!)
  return { ...site, values }
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
  return Float32Array.from({ length: directions }, (_, c) =>
    orderStatistic(values.subarray(c * tokens, (c + 1) * tokens), tokens - 1 - above),
  )
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
  const { windowOf, positionOf } = placesOf(windows, tokens)
  // What is above one threshold; further ones are mostly about as many.
  let [rows, above] = [new Uint32Array(0), new Float32Array(0)]
  let next = 0
  for (let c = 0; c < directions; c++) {
    const first = c * tokens
    const threshold = thresholds[c]!
    // Room for all of a direction's tokens, so that nothing grows while it is filled.
    if (rows.length < next + tokens) {
      const room = Math.max(next + tokens, Math.ceil((next / Math.max(1, c)) * directions * 1.1))
      ;[rows, above] = [grown(rows, new Uint32Array(room)), grown(above, new Float32Array(room))]
    }
    for (let row = 0; row < tokens; row++) {
      const one = values[first + row]!
      if (!(one > threshold)) continue
      rows[next] = row
      above[next++] = value === 'projection' ? one : one - threshold
    }
    offsets[c + 1] = next
  }
  const window = new Uint32Array(next)
  const position = new Uint16Array(next)
  for (let i = 0; i < next; i++) {
    window[i] = windowOf[rows[i]!]!
    position[i] = positionOf[rows[i]!]!
  }
  const found = above.slice(0, next)
  return { windows, tokens, latents: directions, offsets, window, position, value: found }
}

/** The values in an array that has room for more. */
function grown<T extends Uint32Array | Float32Array>(values: T, into: T): T {
  into.set(values)
  return into
}

/** Window and position of each token that is read. */
function placesOf(windows: readonly TokenWindow[], tokens: number) {
  const windowOf = new Uint32Array(tokens)
  const positionOf = new Uint16Array(tokens)
  let row = 0
  windows.forEach((one, w) => {
    for (let p = firstPosition; p < one.tokens.length; p++, row++) {
      windowOf[row] = w
      positionOf[row] = p
    }
  })
  return { windowOf, positionOf }
}

/** Latents of an SAE on the tokens of values at its site [tokens, width]; `shift` is what the values lack of the site's. */
export function encodeValues(
  sae: Sae,
  { windows, tokens, width, values }: SiteValues,
  shift: Float32Array,
): Activations {
  const counts = new Float64Array(sae.latents + 1)
  const pieces: SparseLatents[] = []
  for (let start = 0; start < tokens; start += encodedRows) {
    const rows = Math.min(encodedRows, tokens - start)
    const piece = onHost(() =>
      sae.encode(
        tf.tensor2d(values.subarray(start * width, (start + rows) * width), [rows, width]).add(tf.tensor1d(shift)),
      ),
    )
    for (const latent of piece.indices) counts[latent + 1]!++
    pieces.push(piece)
  }
  const offsets = new Float64Array(sae.latents + 1)
  for (let i = 0; i < sae.latents; i++) offsets[i + 1] = offsets[i]! + counts[i + 1]!
  const next = offsets.slice()
  const total = offsets[sae.latents]!
  const window = new Uint32Array(total)
  const position = new Uint16Array(total)
  const value = new Float32Array(total)
  let row = 0
  windows.forEach((one, w) => {
    for (let p = firstPosition; p < one.tokens.length; p++, row++) {
      const piece = pieces[Math.floor(row / encodedRows)]!
      const local = row % encodedRows
      for (let e = piece.offsets[local]!; e < piece.offsets[local + 1]!; e++) {
        const at = next[piece.indices[e]!]!++
        window[at] = w
        position[at] = p
        value[at] = piece.values[e]!
      }
    }
  })
  return { windows, tokens, latents: sae.latents, offsets, window, position, value }
}
