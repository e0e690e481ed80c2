/** Batches of windows for the model: similar lengths together, padded on the right. */
import type { TokenWindow } from './document.ts'

/** Windows to be run at once. */
export interface WindowBatch {
  readonly windows: readonly TokenWindow[]
  /** Positions of each row: the longest window's length. */
  readonly length: number
  /** Token ids [windows, length], row by row; padding is token 0 and stands after every real token. */
  readonly tokens: Int32Array
}

/**
 * Cuts windows into batches of at most `maxTokens` padded tokens (at least one window each). Windows are grouped by
 * length, ties by index, so the batches depend on the set of windows alone and little is padded.
 */
export function windowBatches(windows: readonly TokenWindow[], maxTokens: number): WindowBatch[] {
  const ordered = [...windows].sort((a, b) => a.index - b.index)
  const groups = groupByLength(
    ordered.map(({ tokens }) => tokens.length),
    maxTokens,
  )
  return groups.map(group => batchOf(Array.from(group, place => ordered[place]!)))
}

/** The places of lengths in groups: ascending by length, then by place, of at most `maxTokens` padded tokens (at least one each). */
export function groupByLength(lengths: ArrayLike<number>, maxTokens: number): Uint32Array[] {
  const sorted = Uint32Array.from(lengths, (_, place) => place).sort((a, b) => lengths[a]! - lengths[b]! || a - b)
  const groups: Uint32Array[] = []
  let start = 0
  for (let end = 0; end < sorted.length; end++) {
    if (end === start || (end - start + 1) * lengths[sorted[end]!]! <= maxTokens) continue
    groups.push(sorted.subarray(start, end))
    start = end
  }
  if (start < sorted.length) groups.push(sorted.subarray(start))
  return groups
}

/** One batch of all these windows, the longest of them last. */
export function batchOf(windows: readonly TokenWindow[]): WindowBatch {
  const length = windows[windows.length - 1]!.tokens.length
  const tokens = new Int32Array(windows.length * length)
  for (const [row, window] of windows.entries()) tokens.set(window.tokens, row * length)
  return { windows, length, tokens }
}
