/** Writes `.npz` files as `numpy.savez` does: a stored zip of `.npy` arrays of float32, row by row. */

import { zipPieces } from '../../../core/zip-writer.ts'
import type { Numbers } from '../../../engine/torch/numbers.ts'

/** The file of these arrays, in pieces that are to be written one after another. Equal arrays give equal bytes. */
export function npzPieces(arrays: Readonly<Record<string, Numbers>>): Uint8Array[] {
  return zipPieces(
    Object.entries(arrays).map(([name, { shape, data }]) => ({
      name: `${name}.npy`,
      data: [npyHeader(shape), new Uint8Array(data.buffer, data.byteOffset, data.byteLength)],
    })),
  )
}

/** Magic, version 1.0, length and the header, padded so that the numbers begin at a multiple of 64 bytes. */
function npyHeader(shape: readonly number[]): Uint8Array {
  const sides = shape.length === 1 ? `${shape[0]},` : shape.join(', ')
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${sides}), }`
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10
  const bytes = new Uint8Array(10 + length).fill(0x20)
  bytes.set([0x93, ...new TextEncoder().encode('NUMPY'), 1, 0, length & 255, length >> 8])
  bytes.set(new TextEncoder().encode(text), 10)
  bytes[bytes.length - 1] = 0x0a
  return bytes
}
