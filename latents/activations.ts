/** What every latent does on a set of windows: sparse activations, turned so that each latent's entries are together. */
import { InterruptedError, UserError } from '../core/errors.ts'
import { breathe } from '../core/stage.ts'
import { type WindowBatch, windowBatches } from '../datasets/batches.ts'
import type { TokenWindow } from '../datasets/document.ts'
import { onHost } from '../engine/host.ts'
import { type Tensor2D, tf } from '../engine/tf.ts'
import type { Model } from '../model/model.ts'
import type { Sae } from '../sae/sae.ts'

/** Position 0 is an attention sink: SAEs are not fitted on it, and it is neither read nor edited here. */
export const firstPosition = 1

/** How windows are drawn that an SAE is measured on: each has two positions beside the first. */
export const measuredDraw = { purpose: 'validate', shortest: firstPosition + 2 } as const

/** Activations by latent: entries `offsets[i] … offsets[i + 1]` are latent i's, by ascending window, then position. */
export interface Activations {
  readonly windows: readonly TokenWindow[]
  /** Tokens read: every position of every window but the first. */
  readonly tokens: number
  readonly latents: number
  readonly offsets: Float64Array
  /** Place of the entry's window in `windows`. */
  readonly window: Uint32Array
  readonly position: Uint16Array
  readonly value: Float32Array
}

export interface EncodeWindowsOptions {
  /** Padded tokens run through the model at once. */
  readonly batchTokens: number
  readonly signal: AbortSignal
  /** Called with the windows done so far. */
  readonly onBatch?: (windows: number) => void
  /** Called with each batch and the values at the site that it was encoded from [windows · length, width], which are disposed behind it. */
  readonly onRows?: (batch: WindowBatch, rows: Tensor2D) => void
}

/** Stops at a safe point when the stage was interrupted. */
export function throwIfInterrupted(signal: AbortSignal): void {
  if (signal.aborted)
    throw new InterruptedError('The work on latents was interrupted.', {
      fix: 'Start the same command again; it goes on where it stopped.',
    })
}

/** The residual (or other value) at the SAE's site for one batch of windows, as rows [batch · length, width]. */
export function siteRows(model: Model, site: string, tokens: Tensor2D): Tensor2D {
  return tf.tidy(() => {
    const [batch, length] = tokens.shape
    const value = model.run(tokens, { until: site })
    return value.reshape([batch * length, value.size / (batch * length)]) as Tensor2D
  })
}

/** What latents do in one window, by ascending position: entry for entry. */
export interface WindowActivations {
  readonly position: Uint16Array
  readonly latent: Uint32Array
  readonly value: Float32Array
}

/** Runs the windows up to the SAE's site and encodes every token after position 0. Memory grows with tokens × L0. */
export async function encodeWindows(
  model: Model,
  sae: Sae,
  windows: readonly TokenWindow[],
  { batchTokens, signal, onBatch, onRows }: EncodeWindowsOptions,
): Promise<Activations> {
  const found = new Map<TokenWindow, WindowActivations>()
  for (const batch of windowBatches(windows, batchTokens)) {
    await breathe()
    throwIfInterrupted(signal)
    const encoded = encodeBatch(model, sae, batch, onRows)
    for (const [b, window] of batch.windows.entries()) found.set(window, encoded[b]!)
    onBatch?.(found.size)
  }
  return gatherActivations(windows, sae.latents, found)
}

/** The same for one batch: what latents do in each of its windows, in their order. */
export function encodeBatch(
  model: Model,
  sae: Sae,
  batch: WindowBatch,
  onRows?: EncodeWindowsOptions['onRows'],
): WindowActivations[] {
  const { windows, tokens, length } = batch
  const encoded = onHost(() => {
    const rows = siteRows(model, sae.metadata.hook_name, tf.tensor2d(tokens, [windows.length, length], 'int32'))
    onRows?.(batch, rows)
    return sae.encode(rows)
  })
  checkFinite(encoded.values, sae.metadata.hook_name)
  return windows.map((window, b) => {
    const start = encoded.offsets[b * length + firstPosition]!
    const end = Math.max(start, encoded.offsets[b * length + window.tokens.length]!)
    const position = new Uint16Array(end - start)
    for (let p = firstPosition; p < window.tokens.length; p++) {
      const row = b * length + p
      position.fill(p, encoded.offsets[row]! - start, encoded.offsets[row + 1]! - start)
    }
    return { position, latent: encoded.indices.slice(start, end), value: encoded.values.slice(start, end) }
  })
}

/** Refuses activations that are no numbers: a model or SAE that overflows would otherwise give evidence of nothing. */
function checkFinite(values: Float32Array, site: string): void {
  if (values.every(Number.isFinite)) return
  throw new UserError(`The SAE gives activations at ${site} that are not finite numbers.`, {
    fix: 'Check the weights of model and SAE for NaN and infinity.',
  })
}

/** Turns what latents do in each window so that each latent's entries are together. */
export function gatherActivations(
  windows: readonly TokenWindow[],
  latents: number,
  found: ReadonlyMap<TokenWindow, WindowActivations>,
): Activations {
  const offsets = new Float64Array(latents + 1)
  for (const window of windows) for (const i of found.get(window)!.latent) offsets[i + 1]!++
  for (let i = 0; i < latents; i++) offsets[i + 1]! += offsets[i]!
  const total = offsets[latents]!
  const next = Float64Array.from(offsets)
  const window = new Uint32Array(total)
  const position = new Uint16Array(total)
  const value = new Float32Array(total)
  windows.forEach((one, w) => {
    const part = found.get(one)!
    for (let e = 0; e < part.latent.length; e++) {
      const at = next[part.latent[e]!]!++
      window[at] = w
      position[at] = part.position[e]!
      value[at] = part.value[e]!
    }
  })
  return { windows, tokens: tokensRead(windows), latents, offsets, window, position, value }
}

/** Tokens of windows that are read: all but the first of each. */
export function tokensRead(windows: readonly TokenWindow[]): number {
  return windows.reduce((sum, { tokens }) => sum + Math.max(0, tokens.length - firstPosition), 0)
}

/** A latent's activations in one window, by position; empty where it is silent. */
export function activationsIn(activations: Activations, latent: number, window: number): Map<number, number> {
  const { offsets, window: windowOf } = activations
  let low = offsets[latent]!
  let high = offsets[latent + 1]!
  const end = high
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (windowOf[middle]! < window) low = middle + 1
    else high = middle
  }
  const found = new Map<number, number>()
  for (let e = low; e < end && windowOf[e] === window; e++) found.set(activations.position[e]!, activations.value[e]!)
  return found
}

/** The places of the windows in which a latent is active, ascending. */
export function activeWindows({ offsets, window }: Activations, latent: number): number[] {
  const found: number[] = []
  for (let e = offsets[latent]!; e < offsets[latent + 1]!; e++)
    if (found[found.length - 1] !== window[e]) found.push(window[e]!)
  return found
}

/** A latent's nonzero activations. */
export function valuesOf({ offsets, value }: Activations, latent: number): Float32Array {
  return value.subarray(offsets[latent], offsets[latent + 1])
}
