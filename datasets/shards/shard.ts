/** One shard file, read by row at computed offsets: positioned reads into typed arrays, nothing parsed. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { messageOf, UserError } from '../../core/errors.ts'
import { readError } from '../../core/files.ts'
import { nearest } from '../../core/nearest.ts'
import { halvesToFloats } from '../../engine/ops/halves.ts'
import { readSegments } from '../../engine/ops/segments.ts'
import { type ColumnLayout, readLayout, type ShardLayout } from './layout.ts'

/** Rows that lie closer than this are fetched by one read: copying so much takes less than another system call. */
const gapBytes = 4096
const scratchBytes = 1 << 20

const arrays = {
  uint16: Uint16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float16: Uint16Array,
} as const

/**
 * An open shard. Reads of single rows are synchronous: from the system's file cache they take a few microseconds. Those of
 * long ranges are done by the system's own threads, while this one goes on.
 */
export class Shard {
  readonly path: string
  readonly layout: ShardLayout
  private readonly file: number
  private scratch: Uint8Array | undefined
  /** Those that hold the file open. */
  private users = 0
  private closed = false

  /** Throws a `UserError` when the file is absent or not a shard. */
  constructor(path: string) {
    this.path = path
    try {
      this.file = openSync(path, 'r')
    } catch (error) {
      throw readError(path, 'shard', error)
    }
    try {
      const { size } = fstatSync(this.file)
      this.layout = readLayout(size, (offset, length) => this.bytes(offset, new Uint8Array(length)))
    } catch (error) {
      closeSync(this.file)
      throw new UserError(`The shard ${path} is not a whole Arrow file: ${messageOf(error)}.`, {
        fix: 'Capture again.',
        cause: error,
      })
    }
  }

  get rows(): number {
    return this.layout.rows
  }

  /** A column by name; an unknown one is a `UserError` with the nearest. */
  column(name: string): ColumnLayout {
    const found = this.layout.columns.find(column => column.name === name)
    if (found) return found
    const [best] = nearest(
      name,
      this.layout.columns.map(column => column.name),
      1,
    )
    throw new UserError(`The shard ${this.path} has no column ${name}.`, best ? { fix: `Did you mean ${best}?` } : {})
  }

  /** All values of a column, as the array of its type (float16 as its bits). */
  values(name: string): Uint16Array | Uint32Array | Int32Array | Float32Array {
    const column = this.column(name)
    const out = new arrays[column.type](this.rows * column.width)
    for (let batch = 0; batch + 1 < this.layout.starts.length; batch++) {
      const start = this.layout.starts[batch]! * column.width
      const end = this.layout.starts[batch + 1]! * column.width
      const part = out.subarray(start, end)
      this.bytes(column.offsets[batch]!, new Uint8Array(part.buffer, part.byteOffset, part.byteLength))
    }
    return out
  }

  /**
   * Copies rows of a site into `out`: the row numbers `rows[i]`, ascending, go to `out` row `slots[i]`, for i from `from`
   * up to `to`. `base` is subtracted from every row number.
   */
  gather(
    column: ColumnLayout,
    rows: Float64Array,
    slots: Uint32Array,
    from: number,
    to: number,
    base: number,
    out: Float32Array,
  ) {
    const { width, type, offsets } = column
    const { starts } = this.layout
    const rowBytes = width * (type === 'float16' ? 2 : 4)
    const scratch = this.scratchOf(rowBytes)
    let batch = 0
    for (let i = from; i < to; ) {
      const first = rows[i]! - base
      while (starts[batch + 1]! <= first) batch++
      const origin = offsets[batch]! + (first - starts[batch]!) * rowBytes
      let end = i + 1
      let last = first
      let together = true
      while (end < to) {
        const next = rows[end]! - base
        const near = (next - last - 1) * rowBytes <= gapBytes && (next - first + 1) * rowBytes <= scratch.length
        if (next >= starts[batch + 1]! || !near) break
        together &&= next === last + 1 && slots[end] === slots[end - 1]! + 1
        last = next
        end++
      }
      if (together && type === 'float32') {
        // Side by side here and there: no detour.
        this.bytes(origin, new Uint8Array(out.buffer, out.byteOffset + slots[i]! * rowBytes, (end - i) * rowBytes))
      } else {
        this.bytes(origin, scratch.subarray(0, (last - first + 1) * rowBytes))
        for (let j = i; j < end; j++) {
          const at = scratch.byteOffset + (rows[j]! - base - first) * rowBytes
          const row = out.subarray(slots[j]! * width, (slots[j]! + 1) * width)
          if (type === 'float16') halvesToFloats(new Uint16Array(scratch.buffer, at, width), row)
          else row.set(new Float32Array(scratch.buffer, at, width))
        }
      }
      i = end
    }
  }

  /** Reads rows `start` to `start + count` of a site into `out`, which must not be looked at before it is done. */
  async readRange(site: string, start: number, count: number, out: Float32Array): Promise<void> {
    const places = new ShardPlaces()
    places.add(this, site, start, count)
    await places.read(out)
  }

  /** Keeps the file open, whoever closes the shard meanwhile, until `release`; gives its descriptor. */
  hold(): number {
    this.users++
    return this.file
  }

  release(): void {
    if (--this.users === 0 && this.closed) closeSync(this.file)
  }

  close(): void {
    this.closed = true
    if (this.users === 0) closeSync(this.file)
  }

  tooShort(): UserError {
    return new UserError(`The shard ${this.path} is shorter than it says.`, { fix: 'Capture again.' })
  }

  private scratchOf(rowBytes: number): Uint8Array {
    if (!this.scratch || this.scratch.length < rowBytes) this.scratch = new Uint8Array(Math.max(scratchBytes, rowBytes))
    return this.scratch
  }

  /** Fills `into` from the file; a short file is an error. */
  private bytes(offset: number, into: Uint8Array): Uint8Array {
    for (let done = 0; done < into.length; ) {
      const count = readSync(this.file, into, done, into.length - done, offset + done)
      if (count === 0) throw this.tooShort()
      done += count
    }
    return into
  }
}

/** Rows of shards that are to be read, one range after the other; their files are held open from then on. */
export class ShardPlaces {
  private readonly of: {
    readonly shard: Shard
    readonly file: number
    readonly place: number
    readonly bytes: number
  }[] = []
  private readonly held = new Map<Shard, number>()
  private halves = false

  /** How many shards are held. */
  get shards(): number {
    return this.held.size
  }

  add(shard: Shard, site: string, start: number, count: number): void {
    const { width, type, offsets } = shard.column(site)
    const { starts } = shard.layout
    this.halves = type === 'float16'
    const rowBytes = width * (this.halves ? 2 : 4)
    const file = this.held.get(shard) ?? shard.hold()
    this.held.set(shard, file)
    for (let batch = 0; batch + 1 < starts.length; batch++) {
      const from = Math.max(start, starts[batch]!)
      const to = Math.min(start + count, starts[batch + 1]!)
      if (from >= to) continue
      const place = offsets[batch]! + (from - starts[batch]!) * rowBytes
      this.of.push({ shard, file, place, bytes: (to - from) * rowBytes })
    }
  }

  /**
   * Reads all into `out`, as floats of what is stored, while this thread goes on; `out` must not be looked at before it is done. Then lets
   * go of the files.
   */
  async read(out: Float32Array): Promise<void> {
    try {
      const files = Uint32Array.from(this.of, ({ file }) => file)
      const places = Float64Array.from(this.of, ({ place }) => place)
      const bytes = Uint32Array.from(this.of, ({ bytes }) => bytes)
      const cut = await readSegments({ files, places, bytes }, out, this.halves ? 'float16' : 'float32')
      if (cut >= 0) throw this.of[cut]!.shard.tooShort()
    } finally {
      this.release()
    }
  }

  release(): void {
    for (const shard of this.held.keys()) shard.release()
    this.held.clear()
  }
}
