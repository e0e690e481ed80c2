/** Sparse latents: from a dense matrix to compressed rows and back. */
import { type Tensor2D, tf } from '../engine/tf.ts'
import type { SparseLatents } from './sae.ts'

/** The nonzero entries of a dense matrix on the host. */
export function compressRows(dense: Float32Array, rows: number, latents: number): SparseLatents {
  let count = 0
  for (let i = 0; i < dense.length; i++) if (dense[i] !== 0) count++
  const offsets = new Uint32Array(rows + 1)
  const indices = new Uint32Array(count)
  const values = new Float32Array(count)
  let n = 0
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < latents; i++) {
      const value = dense[r * latents + i]!
      if (value === 0) continue
      indices[n] = i
      values[n++] = value
    }
    offsets[r + 1] = n
  }
  return { rows, latents, offsets, indices, values }
}

/** Compressed pieces, one under the other. */
export function stackSparse(pieces: readonly SparseLatents[], latents: number): SparseLatents {
  const rows = pieces.reduce((sum, piece) => sum + piece.rows, 0)
  const count = pieces.reduce((sum, piece) => sum + piece.indices.length, 0)
  const stacked = {
    rows,
    latents,
    offsets: new Uint32Array(rows + 1),
    indices: new Uint32Array(count),
    values: new Float32Array(count),
  }
  let row = 0
  let entry = 0
  for (const piece of pieces) {
    stacked.indices.set(piece.indices, entry)
    stacked.values.set(piece.values, entry)
    for (let r = 1; r <= piece.rows; r++) stacked.offsets[row + r] = entry + piece.offsets[r]!
    row += piece.rows
    entry += piece.indices.length
  }
  return stacked
}

/** Rows `start` to `end` as a dense tensor [end − start, latents]. */
export function denseRows(sparse: SparseLatents, start = 0, end = sparse.rows): Tensor2D {
  const dense = new Float32Array((end - start) * sparse.latents)
  for (let r = start; r < end; r++)
    for (let n = sparse.offsets[r]!; n < sparse.offsets[r + 1]!; n++)
      dense[(r - start) * sparse.latents + sparse.indices[n]!] = sparse.values[n]!
  return tf.tensor2d(dense, [end - start, sparse.latents])
}
