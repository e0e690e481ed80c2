/** Training windows for the toyworld model: whole documents one after the other, each between `<bos>` and `<eos>`. */
import { bosToken, eosToken, toyworldDocument } from '../../datasets/toyworld/index.ts'

/** Seeds of the texts: what is trained on and what is measured on never meet. */
export const trainingSeed = 1_000_001
export const evaluationSeed = 2_000_003

/** More documents than any window holds (the shortest have about 20 tokens). */
const documentsPerWindow = 16

/**
 * The `index`-th window of `length` tokens: as many documents as it takes, the last one cut. Each window has
 * documents of its own, so that a resumed training goes on with the very windows it would have seen.
 */
export function packedWindow(seed: number, index: number, length: number): Int32Array {
  const window = new Int32Array(length)
  let filled = 0
  for (let i = 0; filled < length; i++) {
    const { document } = toyworldDocument(seed, index * documentsPerWindow + i)
    for (const token of [bosToken, ...document.tokens!, eosToken]) if (filled < length) window[filled++] = token
  }
  return window
}

/** Most windows a step may have. */
const mostRows = 128

/** `rows` windows (at most 128) as one [rows × length] array, those of the `step`-th step. */
export function packedBatch(seed: number, step: number, rows: number, length: number): Int32Array {
  const batch = new Int32Array(rows * length)
  for (let row = 0; row < rows; row++) batch.set(packedWindow(seed, step * mostRows + row, length), row * length)
  return batch
}
