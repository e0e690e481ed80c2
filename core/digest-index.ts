/**
 * Which of many things is equal to one before it, told by their hashes: a table of slots in memory (about 11 to 21 bytes a
 * thing), and the first 16 bytes of each hash in a spill, where the few that a slot cannot tell apart are compared.
 */
import { Spill } from './spill.ts'

const kept = 16
const smallest = 1 << 10

/** Numbers hashes from 0 on in the order in which they first come. */
export class DigestIndex {
  /** Two words a slot: the first of the hash, and the number plus one; 0 where the slot is free. */
  #slots = new Uint32Array(2 * smallest)
  readonly #hashes: Spill
  #count = 0

  /** About so many bytes of the hashes stay in memory; default: the spill's. */
  constructor(held?: number) {
    this.#hashes = new Spill(held)
  }

  /** Different hashes so far. */
  get size(): number {
    return this.#count
  }

  /** The number of a hash of 16 bytes or more, and whether it is new. */
  add(hash: Uint8Array): { readonly number: number; readonly isNew: boolean } {
    const own = hash.subarray(0, kept)
    const tag = new DataView(own.buffer, own.byteOffset).getUint32(0, true)
    let at = this.#first(tag)
    for (; this.#slots[at + 1] !== 0; at = this.#next(at)) {
      const number = this.#slots[at + 1]! - 1
      if (this.#slots[at] !== tag) continue
      if (Buffer.compare(this.#hashes.read(number * kept, (number + 1) * kept), own) === 0)
        return { number, isNew: false }
    }
    this.#slots[at] = tag
    this.#slots[at + 1] = this.#count + 1
    this.#hashes.append(own)
    this.#count++
    if (this.#count > 0.75 * (this.#slots.length / 2)) this.#grow()
    return { number: this.#count - 1, isNew: true }
  }

  #first(tag: number): number {
    return (tag & (this.#slots.length / 2 - 1)) * 2
  }

  #next(at: number): number {
    return (at + 2) % this.#slots.length
  }

  #grow(): void {
    const old = this.#slots
    this.#slots = new Uint32Array(2 * old.length)
    for (let i = 0; i < old.length; i += 2) {
      if (old[i + 1] === 0) continue
      let at = this.#first(old[i]!)
      while (this.#slots[at + 1] !== 0) at = this.#next(at)
      this.#slots[at] = old[i]!
      this.#slots[at + 1] = old[i + 1]!
    }
  }
}
