/** `metrics.jsonl`: a line a record, appended as it happens, cut back when a run goes on from a checkpoint. */
import { closeSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import { writeError } from '../core/files.ts'
import type { Metrics } from '../core/stage.ts'

/** The metrics of a run on disk. A last line that a crash cut off is dropped on opening. */
export class MetricsFile implements Metrics {
  readonly #path: string
  readonly #file: number
  /** Where each line ends, in bytes. */
  readonly #ends: number[]
  #unsynced = false

  constructor(path: string) {
    this.#path = path
    try {
      this.#file = openSync(path, 'a+')
      this.#ends = lineEnds(this.#file)
      ftruncateSync(this.#file, this.#ends.at(-1) ?? 0)
    } catch (error) {
      throw writeError(path, error)
    }
  }

  /** Adds a record; it survives the end of this process at once, and a power cut once `lines` was read. */
  append(record: Readonly<Record<string, unknown>>): void {
    const bytes = Buffer.from(`${JSON.stringify(record)}\n`)
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#file, bytes, done)
    } catch (error) {
      ftruncateSync(this.#file, this.#ends.at(-1) ?? 0)
      throw writeError(this.#path, error)
    }
    this.#ends.push((this.#ends.at(-1) ?? 0) + bytes.length)
    this.#unsynced = true
  }

  /** Lines so far, all of them on disk: a checkpoint that stores this number never counts a line that is lost. */
  get lines(): number {
    this.#sync()
    return this.#ends.length
  }

  truncate(lines: number): void {
    if (lines > this.#ends.length)
      throw new Error(`${this.#path} has ${this.#ends.length} lines, but the checkpoint counts ${lines}.`)
    this.#ends.length = lines
    ftruncateSync(this.#file, this.#ends.at(-1) ?? 0)
    this.#unsynced = true
  }

  close(): void {
    this.#sync()
    closeSync(this.#file)
  }

  #sync(): void {
    if (!this.#unsynced) return
    fsyncSync(this.#file)
    this.#unsynced = false
  }
}

function lineEnds(file: number): number[] {
  const ends: number[] = []
  const chunk = Buffer.alloc(1 << 16)
  for (let start = 0; ; ) {
    const count = readSync(file, chunk, 0, chunk.length, start)
    if (count === 0) return ends
    for (let i = chunk.indexOf(10); i >= 0 && i < count; i = chunk.indexOf(10, i + 1)) ends.push(start + i + 1)
    start += count
  }
}
