/**
 * Bytes and numbers that are written once, in order, and read anywhere: the first of them lie in memory, what is beyond a bound
 * in a temporary file. The file has no name from the start, so that nothing is left of it however the process ends; its folder
 * is the system's for temporary files (`TMPDIR`).
 */
import { randomUUID } from 'node:crypto'
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { codeOf, FaultError } from './errors.ts'
import { writeError } from './files.ts'

/** Bytes that go to the file, and come from it, at a time. */
const blockBytes = 1 << 18
const blockNumbers = blockBytes / 8
/** Blocks of the file that are remembered. */
const remembered = 8

/** Bytes held in memory by default before the rest goes to the file. */
const defaultHeld = 4 << 20

/** Files are closed when nobody can read them any more. */
const closing = new FinalizationRegistry<number>(file => closeSync(file))

/** Bytes in the order in which they were added. */
export class Spill {
  /** Bytes so far. */
  length = 0
  readonly #heldBlocks: number
  readonly #held: Uint8Array[] = []
  readonly #known = new Map<number, Uint8Array>()
  #tail = new Uint8Array(blockBytes)
  #file: number | undefined

  /** About `held` bytes at most stay in memory, besides two megabytes for writing and reading. */
  constructor(held = defaultHeld) {
    this.#heldBlocks = Math.ceil(held / blockBytes)
  }

  /** Adds bytes at the end. Throws a `FaultError` where the disk has no room for them. */
  append(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length; ) {
      const at = this.length % blockBytes
      const part = bytes.subarray(from, from + blockBytes - at)
      this.#tail.set(part, at)
      from += part.length
      this.length += part.length
      if (this.length % blockBytes === 0) this.#keepTail()
    }
  }

  /** The bytes from one place to another, in memory of their own. Throws a `RangeError` beyond the end. */
  read(from: number, to: number): Uint8Array {
    if (!(from >= 0 && from <= to && to <= this.length))
      throw new RangeError(`Bytes ${from} to ${to} were asked for of ${this.length}.`)
    const first = from % blockBytes
    if (first + to - from <= blockBytes) return this.#block((from - first) / blockBytes).slice(first, first + to - from)
    const bytes = new Uint8Array(to - from)
    for (let at = from; at < to; ) {
      const block = this.#block(Math.floor(at / blockBytes))
      const start = at % blockBytes
      const part = block.subarray(start, Math.min(blockBytes, start + to - at))
      bytes.set(part, at - from)
      at += part.length
    }
    return bytes
  }

  /** The block of 2¹⁸ bytes with a number, which nobody may change, and whether it stays as it is: the last one is still written to. */
  block(number: number): { readonly bytes: Uint8Array; readonly isFinal: boolean } {
    return { bytes: this.#block(number), isFinal: number < Math.floor(this.length / blockBytes) }
  }

  /** The block with a number, which nobody may change. */
  #block(number: number): Uint8Array {
    const held = this.#held[number]
    if (held) return held
    if (number === Math.floor(this.length / blockBytes)) return this.#tail
    const known = this.#known.get(number)
    if (known) return known
    const block = new Uint8Array(blockBytes)
    const start = (number - this.#held.length) * blockBytes
    for (let at = 0; at < blockBytes; ) {
      const read = readSync(this.#file!, block, at, blockBytes - at, start + at)
      if (read === 0) throw new Error('A temporary file became shorter.')
      at += read
    }
    if (this.#known.size >= remembered) this.#known.delete(this.#known.keys().next().value!)
    this.#known.set(number, block)
    return block
  }

  #keepTail(): void {
    if (this.#held.length < this.#heldBlocks) {
      this.#held.push(this.#tail)
      this.#tail = new Uint8Array(blockBytes)
      return
    }
    const start = this.length - blockBytes - this.#held.length * blockBytes
    try {
      this.#file ??= this.#open()
      for (let at = 0; at < blockBytes; ) at += writeSync(this.#file, this.#tail, at, blockBytes - at, start + at)
    } catch (error) {
      throw fault(error)
    }
  }

  #open(): number {
    const path = join(tmpdir(), `pipeline-${randomUUID()}.spill`)
    const file = openSync(path, 'wx+', 0o600)
    unlinkSync(path)
    closing.register(this, file)
    return file
  }
}

function fault(error: unknown): Error {
  const code = codeOf(error)
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return writeError(tmpdir(), error)
  return new FaultError(`The disk is full: what is larger than memory did not find room in ${tmpdir()}.`, {
    fix: 'Free some space, or set TMPDIR to a folder on a larger disk, and start the same command again.',
    cause: error,
  })
}

/** Numbers (float64) in the order in which they were added; eight bytes each. */
export class SpilledNumbers {
  readonly #bytes: Spill
  readonly #one = new Float64Array(1)
  /** The block that was read last, since numbers are mostly read in order. */
  #last: { readonly number: number; readonly values: Float64Array } = { number: -1, values: new Float64Array() }

  /** See `Spill`. */
  constructor(held = defaultHeld / 4) {
    this.#bytes = new Spill(held)
  }

  get length(): number {
    return this.#bytes.length / 8
  }

  push(value: number): void {
    this.#one[0] = value
    this.#bytes.append(new Uint8Array(this.#one.buffer))
  }

  /** Throws a `RangeError` beyond the end. */
  at(place: number): number {
    if (!(place >= 0 && place < this.length)) throw new RangeError(`Number ${place} was asked for of ${this.length}.`)
    const number = Math.floor(place / blockNumbers)
    if (number === this.#last.number) return this.#last.values[place % blockNumbers]!
    const { bytes, isFinal } = this.#bytes.block(number)
    const values = new Float64Array(bytes.buffer)
    if (isFinal) this.#last = { number, values }
    return values[place % blockNumbers]!
  }
}
