/** Rows in another order, and rows beside others. */
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

/** The meaning of `placeColumns`. */
export function plainPlaceColumns(
  from: Float32Array,
  width: number,
  to: Float32Array,
  columns: number,
  column: number,
): void {
  for (let row = 0; row * width < from.length; row++)
    to.set(from.subarray(row * width, (row + 1) * width), row * columns + column)
}

/** Copies rows `from` [rows, width] into columns `column` to `column + width` of `to` [rows, columns]. */
export function placeColumns(
  from: Float32Array,
  width: number,
  to: Float32Array,
  columns: number,
  column: number,
): void {
  const native = hostFunction('placeColumns')
  if (native) native(from, width, to, columns, column)
  else plainPlaceColumns(from, width, to, columns, column)
}
