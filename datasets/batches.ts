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
  const sorted = [...windows].sort((a, b) => a.tokens.length - b.tokens.length || a.index - b.index)
  const batches: WindowBatch[] = []
  let group: TokenWindow[] = []
  const close = () => {
    if (group.length === 0) return
    const length = group[group.length - 1]!.tokens.length
    const tokens = new Int32Array(group.length * length)
    group.forEach((window, row) => {
      tokens.set(window.tokens, row * length)
    })
    batches.push({ windows: group, length, tokens })
    group = []
  }
  for (const window of sorted) {
    if (group.length > 0 && (group.length + 1) * window.tokens.length > maxTokens) close()
    group.push(window)
  }
  close()
  return batches
}
