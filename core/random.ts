/**
 * Seeded randomness, equal on every machine: a stream (`Random`) and order-free decisions (`uniformOf`).
 *
 * The stream is xoshiro128** (Blackman and Vigna 2018); decisions hash their key, so they do not depend on what was
 * asked before.
 */

const rotate = (x: number, k: number) => ((x << k) | (x >>> (32 - k))) >>> 0

/** Final avalanche of a 32-bit word (murmur3's finaliser constants). */
function avalanche(x: number): number {
  let h = x >>> 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** Two independent 32-bit hashes of parts, in order. */
class PartHash {
  private a = 0x9e3779b9
  private b = 0x243f6a88

  add(part: string | number): this {
    if (typeof part === 'number') {
      this.take(part | 0)
      this.take(Math.floor(part / 4294967296) | 0)
      if (!Number.isInteger(part)) this.take(Math.floor((part - Math.floor(part)) * 4294967296) | 0)
    } else {
      for (let i = 0; i < part.length; i++) this.take(part.charCodeAt(i))
      this.take(part.length | 0x40000000)
    }
    return this
  }

  private take(word: number): void {
    this.a = Math.imul(rotate((this.a ^ avalanche(word)) >>> 0, 13), 5) + 0xe6546b64
    this.b = Math.imul(rotate((this.b ^ avalanche(word ^ 0x5bd1e995)) >>> 0, 17), 9) + 0x38495ab5
  }

  /** Takes what another has come to. */
  become({ a, b }: PartHash): this {
    this.a = a
    this.b = b
    return this
  }

  get words(): [number, number] {
    return [avalanche(this.a), avalanche(this.b)]
  }

  /** A number in [0, 1) with 53 bits. */
  get uniform(): number {
    return uniformOfWords(avalanche(this.a), avalanche(this.b))
  }
}

/** A number in [0, 1) of the first 53 of 64 bits. */
function uniformOfWords(high: number, low: number): number {
  return (high * 2097152 + (low >>> 11)) / 9007199254740992
}

function hashOf(parts: readonly (string | number)[]): PartHash {
  const hash = new PartHash()
  for (const part of parts) hash.add(part)
  return hash
}

/** A number in [0, 1) with 53 bits that depends on the parts alone. */
export function uniformOf(...parts: (string | number)[]): number {
  return hashOf(parts).uniform
}

/** The same for many numbers as the last part: the others are hashed once. */
export function uniformsOf(...parts: (string | number)[]): (last: number) => number {
  const before = hashOf(parts)
  const own = new PartHash()
  return last => own.become(before).add(last).uniform
}

/** The state of a stream: what a checkpoint stores. */
export type RandomState = readonly [number, number, number, number, number | null]

/** A seeded stream of random numbers. */
export class Random {
  private state: Uint32Array
  private spare: number | null = null

  /** A stream that depends on the parts alone: `new Random(seed, 'init')` and `new Random(seed, 'shuffle')` are independent. */
  constructor(...seed: (string | number)[]) {
    const [a, b] = hashOf(seed).words
    this.state = Uint32Array.of(a, b, avalanche(a ^ 0x9e3779b9), avalanche(b ^ 0x7f4a7c15) | 1)
  }

  /** What `restore` needs to go on from here. */
  save(): RandomState {
    return [this.state[0]!, this.state[1]!, this.state[2]!, this.state[3]!, this.spare]
  }

  /** A stream that goes on from a saved state. */
  static restore(state: RandomState): Random {
    const random = new Random(0)
    random.state = Uint32Array.of(state[0], state[1], state[2], state[3])
    random.spare = state[4]
    return random
  }

  /** 32 random bits. */
  bits(): number {
    const s = this.state
    const result = Math.imul(rotate(Math.imul(s[1]!, 5) >>> 0, 7), 9) >>> 0
    const t = (s[1]! << 9) >>> 0
    s[2]! ^= s[0]!
    s[3]! ^= s[1]!
    s[1]! ^= s[2]!
    s[0]! ^= s[3]!
    s[2]! ^= t
    s[3] = rotate(s[3]!, 11)
    return result
  }

  /** The next numbers of 32 random bits, as `bits` has them, in a loop of its own since there are many. */
  fill(words: Uint32Array): Uint32Array {
    const state = this.state
    let [a, b, c, d] = [state[0]!, state[1]!, state[2]!, state[3]!]
    for (let i = 0; i < words.length; i++) {
      const x = Math.imul(b, 5)
      words[i] = Math.imul((x << 7) | (x >>> 25), 9)
      const t = b << 9
      c ^= a
      d ^= b
      b ^= c
      a ^= d
      c ^= t
      d = (d << 11) | (d >>> 21)
    }
    state.set([a, b, c, d])
    return words
  }

  /** A number in [0, 1) with 53 bits. */
  uniform(): number {
    const high = this.bits()
    return uniformOfWords(high, this.bits())
  }

  /** An integer in [0, n), without modulo bias. */
  int(n: number): number {
    return Math.floor(this.uniform() * n)
  }

  /** A standard normal number (Box and Muller 1958; the second of each pair is kept for the next call). */
  normal(): number {
    if (this.spare !== null) {
      const value = this.spare
      this.spare = null
      return value
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()))
    const angle = 2 * Math.PI * this.uniform()
    this.spare = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }

  /** `n` standard normal numbers times `scale`. */
  normals(n: number, scale = 1): Float32Array {
    const values = new Float32Array(n)
    let i = 0
    if (n > 0 && this.spare !== null) values[i++] = this.normal() * scale
    // As `normal` has them, pair by pair: four words each.
    const words = new Uint32Array(1024)
    while (i + 1 < n) {
      const own = this.fill(words.subarray(0, Math.min(words.length, 4 * Math.floor((n - i) / 2))))
      for (let w = 0; w < own.length; w += 4, i += 2) {
        const radius = Math.sqrt(-2 * Math.log(1 - uniformOfWords(own[w]!, own[w + 1]!)))
        const angle = 2 * Math.PI * uniformOfWords(own[w + 2]!, own[w + 3]!)
        values[i] = radius * Math.cos(angle) * scale
        values[i + 1] = radius * Math.sin(angle) * scale
      }
    }
    if (i < n) values[i] = this.normal() * scale
    return values
  }

  /** The items in random order, in place (Fisher and Yates). */
  shuffle<T extends { length: number; [index: number]: unknown }>(items: T): T {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.int(i + 1)
      const item = items[i]
      items[i] = items[j]
      items[j] = item
    }
    return items
  }

  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    return items[this.int(items.length)]!
  }

  /** `count` different items, in random order. */
  sample<T>(items: readonly T[], count: number): T[] {
    const copy = [...items]
    const n = Math.min(count, copy.length)
    for (let i = 0; i < n; i++) {
      const j = i + this.int(copy.length - i)
      const item = copy[i]!
      copy[i] = copy[j]!
      copy[j] = item
    }
    return copy.slice(0, n)
  }
}
