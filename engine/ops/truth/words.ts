/**
 * Random words by place: a word depends on a key and a counter alone, so that samples may be drawn in any order, by any
 * number of threads, and are the same. `engine/native/truth.cc` computes the same words.
 *
 *   mix(x)        an invertible mix of 32 bits: shifts and products, which change every bit with every other
 *   key(index)    a = mix(lo + mix(hi ⊕ A)),  b = mix(lo ⊕ mix(hi + B))      A, B from the seed; lo, hi halves of the index
 *   word(c)       x = mix₁(c · φ ⊕ a) + b, then mixed again                 φ = 2³² / golden ratio
 *
 * A key of 64 bits has no equal among 2³² samples, since a and b are one-to-one in the lower half of the index.
 */

/** The two words that stand for a seed. */
export type SeedWords = readonly [number, number]

const golden = 0x9e3779b1
const first = 0x21f0aaad
const second = 0x735a2d97
const third = 0x846ca68b

function mix(x: number): number {
  let h = x >>> 0
  h = Math.imul(h ^ (h >>> 16), first)
  h = Math.imul(h ^ (h >>> 15), second)
  return (h ^ (h >>> 15)) >>> 0
}

/** The key of the sample with that index, which may be any integer from 0 to 2⁵³. */
export function keyOf([seedA, seedB]: SeedWords, index: number): SeedWords {
  const low = index >>> 0
  const high = Math.floor(index / 4294967296) >>> 0
  return [mix(low + mix(high ^ seedA)), mix(low ^ mix(high + seedB))]
}

/** The 32-bit word of a key at a counter. */
export function wordOf([a, b]: SeedWords, counter: number): number {
  let h = Math.imul(counter, golden) ^ a
  h = Math.imul(h ^ (h >>> 16), first)
  h = ((h ^ (h >>> 15)) + b) | 0
  h = Math.imul(h, second)
  h = Math.imul(h ^ (h >>> 15), third)
  return (h ^ (h >>> 16)) >>> 0
}

/** A number in (0, 1) from a word. */
export function uniformFrom(word: number): number {
  return (word + 0.5) / 4294967296
}

/** A standard normal number from two words (Box and Muller 1958). */
export function normalFrom(radius: number, angle: number): number {
  return Math.sqrt(-2 * Math.log(uniformFrom(radius))) * Math.cos(2 * Math.PI * uniformFrom(angle))
}
