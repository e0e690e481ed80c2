/** What every latent does on a set of windows: the sparse activations, turned so that each latent's are together. */
import { InterruptedError } from '../core/errors.ts'
import type { WindowBatch } from '../datasets/batches.ts'
import { windowBatches } from '../datasets/batches.ts'
import type { TokenWindow } from '../datasets/document.ts'
import { type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import type { Model } from '../model/model.ts'
import type { Sae } from '../sae/sae.ts'

/** Activations by latent. A row is one token; rows are ordered by window, then position. */
export interface LatentActivations {
  readonly windows: readonly TokenWindow[]
  /** For each row, the place of its window in `windows`, its position there, and its token id. */
  readonly windowOf: Uint32Array
  readonly positionOf: Uint32Array
  readonly tokenOf: Int32Array
  readonly latents: number
  /** Latent i's entries are `offsets[i] … offsets[i + 1]`, by ascending row. */
  readonly offsets: Float64Array
  readonly rows: Uint32Array
  readonly values: Float32Array
}

export interface CollectOptions {
  /** Padded tokens run through the model at once. */
  readonly batchTokens: number
  /** Positions below this are left out (the attention sink at position 0, unless 0). */
  readonly firstPosition: number
  readonly signal?: AbortSignal
  readonly onBatch?: (windowsDone: number) => void
}

/** Runs the windows through the model up to the SAE's site and encodes every token. Memory grows with tokens × L0. */
export function collectActivations(
  model: Model,
  sae: Sae,
  windows: readonly TokenWindow[],
  options: CollectOptions,
): LatentActivations {
  const { firstPosition } = options
  const rowStart = new Uint32Array(windows.length + 1)
  windows.forEach((window, i) => {
    rowStart[i + 1] = rowStart[i]! + Math.max(0, window.tokens.length - firstPosition)
  })
  const rowCount = rowStart[windows.length]!
  const windowOf = new Uint32Array(rowCount)
  const positionOf = new Uint32Array(rowCount)
  const tokenOf = new Int32Array(rowCount)
  const place = new Map(windows.map((window, i) => [window, i]))

  const parts: { rows: Uint32Array; latents: Uint32Array; values: Float32Array }[] = []
  const counts = new Float64Array(sae.latents + 1)
  let done = 0
  for (const batch of windowBatches(windows, options.batchTokens)) {
    if (options.signal?.aborted)
      throw new InterruptedError('Labelling was interrupted; the same command starts it again.')
    const { rows, encoded } = encodeBatch(model, sae, batch, firstPosition, window => rowStart[place.get(window)!]!)
    rows.forEach(({ row, window, position }) => {
      windowOf[row] = place.get(window)!
      positionOf[row] = position
      tokenOf[row] = window.tokens[position]!
    })
    const entryRows = new Uint32Array(encoded.indices.length)
    for (let r = 0; r < encoded.rows; r++)
      for (let e = encoded.offsets[r]!; e < encoded.offsets[r + 1]!; e++) {
        entryRows[e] = rows[r]!.row
        counts[encoded.indices[e]! + 1]!++
      }
    parts.push({ rows: entryRows, latents: encoded.indices, values: encoded.values })
    done += batch.windows.length
    options.onBatch?.(done)
  }

  for (let i = 0; i < sae.latents; i++) counts[i + 1]! += counts[i]!
  const offsets = counts
  const total = offsets[sae.latents]!
  const rows = new Uint32Array(total)
  const values = new Float32Array(total)
  const next = Float64Array.from(offsets)
  for (const part of parts)
    for (let e = 0; e < part.rows.length; e++) {
      const at = next[part.latents[e]!]!++
      rows[at] = part.rows[e]!
      values[at] = part.values[e]!
    }
  for (let i = 0; i < sae.latents; i++) sortByRow(rows, values, offsets[i]!, offsets[i + 1]!)
  return { windows, windowOf, positionOf, tokenOf, latents: sae.latents, offsets, rows, values }
}

function encodeBatch(
  model: Model,
  sae: Sae,
  batch: WindowBatch,
  firstPosition: number,
  startOf: (window: TokenWindow) => number,
) {
  const rows: { row: number; window: TokenWindow; position: number }[] = []
  const flat: number[] = []
  batch.windows.forEach((window, b) => {
    for (let position = firstPosition; position < window.tokens.length; position++) {
      rows.push({ row: startOf(window) + position - firstPosition, window, position })
      flat.push(b * batch.length + position)
    }
  })
  const x = tf.tidy(() => {
    const tokens = tf.tensor2d(batch.tokens, [batch.windows.length, batch.length], 'int32')
    const value = model.run(tokens, { until: sae.metadata.hook_name }) as Tensor3D
    const width = value.size / (batch.windows.length * batch.length)
    return tf.gather(
      value.reshape([batch.windows.length * batch.length, width]),
      tf.tensor1d(flat, 'int32'),
    ) as Tensor2D
  })
  try {
    return { rows, encoded: sae.encode(x) }
  } finally {
    x.dispose()
  }
}

/** Batches come by length, so a latent's entries are runs of rising rows out of order: put them in order. */
function sortByRow(rows: Uint32Array, values: Float32Array, start: number, end: number): void {
  let sorted = true
  for (let e = start + 1; e < end && sorted; e++) sorted = rows[e - 1]! < rows[e]!
  if (sorted) return
  const order = Array.from({ length: end - start }, (_, i) => start + i).sort((a, b) => rows[a]! - rows[b]!)
  const sortedRows = Uint32Array.from(order, e => rows[e]!)
  const sortedValues = Float32Array.from(order, e => values[e]!)
  rows.set(sortedRows, start)
  values.set(sortedValues, start)
}
