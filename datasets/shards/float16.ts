/** Half-precision floats as their 16 bits, IEEE 754 binary16, rounded to nearest, ties to even. */

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

/** Writes the numbers of `bits` to `out` from `at`, and returns `out`. */
export function halvesToFloats(bits: Uint16Array, out: Float32Array, at = 0): Float32Array {
  table ??= Float32Array.from({ length: 65_536 }, (_, i) => fromHalf(i))
  for (let i = 0; i < bits.length; i++) out[at + i] = table[bits[i]!]!
  return out
}

/** The halves nearest to `values`. */
export function floatsToHalves(values: Float32Array): Uint16Array {
  const out = new Uint16Array(values.length)
  for (let i = 0; i < values.length; i++) out[i] = toHalf(values[i]!)
  return out
}
