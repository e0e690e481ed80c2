/** Half-precision floats as their 16 bits, IEEE 754 binary16, rounded to nearest, ties to even. */
import { hostFunction } from './native.ts'

const floats = new Float32Array(1)
const words = new Uint32Array(floats.buffer)

/** The 16 bits of a number; beyond 65,519 in size it becomes an infinity. */
export function toHalf(value: number): number {
  floats[0] = value
  const word = words[0]!
  const sign = (word >>> 16) & 0x8000
  const size = word & 0x7fffffff
  if (size >= 0x47800000) {
    if (size > 0x7f800000) return sign | 0x7e00 // NaN
    return sign | 0x7c00
  }
  if (size < 0x38800000) {
    // Below the smallest normal half: adding 0.5 puts the bits that stay at the end of the mantissa, rounded.
    floats[0] = Math.abs(value) + 0.5
    return sign | (words[0]! - 0x3f000000)
  }
  const rounded = size + 0xfff + ((size >>> 13) & 1)
  return sign | ((rounded - 0x38000000) >>> 13)
}

/** The number of 16 bits. */
export function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const mantissa = bits & 1023
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25))
}

let table: Float32Array | undefined

/** The meaning of `halvesToFloats`. */
export function plainHalvesToFloats(bits: Uint16Array, out: Float32Array): Float32Array {
  table ??= Float32Array.from({ length: 65_536 }, (_, i) => fromHalf(i))
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i]!]!
  return out
}

/** Writes the numbers of `bits` to `out`, which has as many, and returns it. */
export function halvesToFloats(bits: Uint16Array, out: Float32Array): Float32Array {
  const native = hostFunction('fromHalves')
  if (!native) return plainHalvesToFloats(bits, out)
  native(bits, out)
  return out
}

/** The meaning of `floatsToHalves`. */
export function plainFloatsToHalves(values: Float32Array, out: Uint16Array): Uint16Array {
  for (let i = 0; i < values.length; i++) out[i] = toHalf(values[i]!)
  return out
}

/** The halves nearest to `values`; into `out`, which has as many, where given. */
export function floatsToHalves(values: Float32Array, out: Uint16Array = new Uint16Array(values.length)): Uint16Array {
  const native = hostFunction('toHalves')
  if (!native) return plainFloatsToHalves(values, out)
  native(values, out)
  return out
}

/** What rounding changed, by dimension. */
export interface Rounding {
  /** Σ (stored − computed)² */
  readonly error: Float64Array
  /** Σ computed² */
  readonly squares: Float64Array
  /** max |stored − computed| */
  readonly largest: Float64Array
}

/** The meaning of `roundingOf`. */
export function plainRoundingOf(computed: Float32Array, stored: Float32Array, width: number): Rounding {
  const error = new Float64Array(width)
  const squares = new Float64Array(width)
  const largest = new Float64Array(width)
  for (let at = 0; at < computed.length; at += width) {
    for (let i = 0; i < width; i++) {
      const value = computed[at + i]!
      const difference = Math.abs(stored[at + i]! - value)
      error[i]! += difference * difference
      squares[i]! += value * value
      if (difference > largest[i]!) largest[i] = difference
    }
  }
  return { error, squares, largest }
}

/** What rounding rows `computed` [rows, width] to `stored` changed. */
export function roundingOf(computed: Float32Array, stored: Float32Array, width: number): Rounding {
  const native = hostFunction('rounding')
  if (!native) return plainRoundingOf(computed, stored, width)
  const [error, squares, largest] = [new Float64Array(width), new Float64Array(width), new Float64Array(width)]
  native(computed, stored, error, squares, largest)
  return { error, squares, largest }
}
