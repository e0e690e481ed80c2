/** Rows in another order. */
import { hostFunction } from './native.ts'

/** The meaning of `gatherRows`. */
export function plainGatherRows(from: Float32Array, width: number, order: Uint32Array, to: Float32Array): void {
  for (let i = 0; i < order.length; i++) {
    const at = order[i]! * width
    to.set(from.subarray(at, at + width), i * width)
  }
}

/** Copies rows of `from` [rows, width] by number into `to` [order.length, width]; a number that is no row's throws. */
export function gatherRows(from: Float32Array, width: number, order: Uint32Array, to: Float32Array): void {
  const native = hostFunction('gatherRows')
  if (native) native(from, width, order, to)
  else plainGatherRows(from, width, order, to)
}
