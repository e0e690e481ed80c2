/** Finding the n-th largest of many numbers without sorting them. */

const bins = 1 << 16

/**
 * The `count`-th largest of the positive values, exactly; 0 when there are fewer. The bits of positive floats rise with
 * their value, so two histograms, of the upper and of the lower 16 bits, find it in two passes.
 */
export function nthLargestPositive(values: Float32Array, count: number): number {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const upper = new Uint32Array(bins)
  // Zero is 0, and negative numbers have the sign bit, so that positive ones are 1 … 0x7f800000.
  for (let i = 0; i < bits.length; i++) {
    const b = bits[i]!
    if (b > 0 && b < 0x80000000) upper[b >>> 16]!++
  }
  let left = count
  let bin = 0x7fff
  while (bin >= 0 && upper[bin]! < left) left -= upper[bin--]!
  if (bin < 0) return 0
  const lower = new Uint32Array(bins)
  for (let i = 0; i < bits.length; i++) if (bits[i]! >>> 16 === bin) lower[bits[i]! & 0xffff]!++
  let low = bins - 1
  while (lower[low]! < left) left -= lower[low--]!
  const found = new Float32Array(1)
  new Uint32Array(found.buffer)[0] = bin * bins + low
  return found[0]!
}

/** 1 at the values above `least`, and at as many equal to it, from the start, as make up `count`; else 0. */
export function firstLargest(values: Float32Array, least: number, count: number): Float32Array {
  const mask = new Float32Array(values.length)
  let left = count
  for (let i = 0; i < values.length; i++)
    if (values[i]! > least) {
      mask[i] = 1
      left--
    }
  for (let i = 0; i < values.length && left > 0; i++)
    if (values[i] === least) {
      mask[i] = 1
      left--
    }
  return mask
}
