/** Where training rows come from, and in which order they are learned. */
import pLimit from 'p-limit'
import { Random } from '../../core/random.ts'

/** Rows of activations on disk or in memory; an open `Capture` (datasets/shards) is one. */
export interface ActivationSource {
  readonly rows: number
  readonly sites: readonly { readonly name: string; readonly width: number }[]
  /** Rows `start` to `start + count` of a site, one after the other. */
  readRange(site: string, start: number, count: number): Promise<Float32Array>
  /** The same into `out`, which is not looked at before it is done, while this thread goes on with something else. */
  readInto?(site: string, start: number, count: number, out: Float32Array): Promise<void>
}

/** Consecutive rows that stay together when a capture is too large to shuffle at once. */
const blockRows = 256

/**
 * Ranges that are asked for at once. While a step computes, nobody is told that a range has come, so what is asked for
 * must last for a step: 64 blocks are 16,384 rows.
 */
const rangesAtOnce = 64

/** Values of a range at most: what is in flight and not yet in its place stays below 128 MiB. */
const pieceValues = 1 << 19

/**
 * Rows in shuffled order, epoch after epoch without a break, in batches of equal size.
 *
 * The rows are cut into blocks of 256; an epoch takes the blocks in random order, as many at a time as fit into memory (a
 * pool), and serves the rows of a pool in random order. Where everything fits into one pool, that is a uniform random
 * permutation. Order depends on seed and epoch alone, so a position is one number: `visits`. The next pool is read while
 * the present one is served, into the memory of the one before.
 */
export class RowStream {
  private readonly source: ActivationSource
  private readonly sites: readonly string[]
  private readonly rows: number
  private readonly seed: number
  private readonly width: number
  private readonly blocks: number
  private readonly poolBlocks: number
  private pool: Promise<Pool> | undefined
  private next: Promise<Pool> | undefined

  /** Serves `rows` rows from the start of the source; the named sites lie side by side in a served row. */
  constructor(
    source: ActivationSource,
    sites: readonly string[],
    options: { rows: number; seed: number; bytes: number },
  ) {
    this.source = source
    this.sites = sites
    this.rows = options.rows
    this.seed = options.seed
    this.width = sites.reduce((sum, name) => sum + source.sites.find(site => site.name === name)!.width, 0)
    this.blocks = Math.ceil(this.rows / blockRows)
    // When everything fits, one pool serves every epoch; otherwise two are in memory, one served and one being read.
    const fits = this.rows * this.width * 4 <= options.bytes
    this.poolBlocks = fits ? this.blocks : Math.max(1, Math.floor(options.bytes / 2 / (blockRows * this.width * 4)))
  }

  private get poolsPerEpoch(): number {
    return Math.ceil(this.blocks / this.poolBlocks)
  }

  /** Columns of a served row. */
  get columns(): number {
    return this.width
  }

  /** Rows `visits` to `visits + count` of the stream, [count × width], into `batch` where given. One call at a time. */
  async read(
    visits: number,
    count: number,
    batch: Float32Array = new Float32Array(count * this.width),
  ): Promise<Float32Array> {
    let filled = 0
    while (filled < count) {
      const { pool, offset } = await this.poolAt(visits + filled)
      const take = Math.min(count - filled, pool.order.length - offset)
      for (let i = 0; i < take; i++) {
        const from = pool.order[offset + i]! * this.width
        batch.set(pool.data.subarray(from, from + this.width), (filled + i) * this.width)
      }
      filled += take
    }
    return batch
  }

  /** Rows `start` to `start + count` as they lie in the source, sites side by side. */
  async inOrder(start: number, count: number): Promise<Float32Array> {
    const rows = new Float32Array(count * this.width)
    await inTurn(this.place(rows, 0, start, count), 1)
    return rows
  }

  /** The pool that holds a position of the stream, and the place in its order. */
  private async poolAt(visits: number): Promise<{ pool: Pool; offset: number }> {
    const epoch = Math.floor(visits / this.rows)
    let offset = visits - epoch * this.rows
    // Every pool but the one with the last, shorter block has the same size, and that block may be in any of them.
    const order = this.blockOrder(epoch)
    let index = 0
    for (; index < this.poolsPerEpoch - 1; index++) {
      const size = this.sizeOf(order, index)
      if (offset < size) break
      offset -= size
    }
    if (!this.pool || !(await this.pool).is(epoch, index)) {
      const before = this.pool && (await this.pool)
      const ahead = this.next && (await this.next).is(epoch, index) ? this.next : undefined
      this.pool = ahead ?? this.load(epoch, index, before)
      await this.pool
      this.next =
        this.poolsPerEpoch > 1 ? this.load(...this.following(epoch, index), ahead ? before : undefined) : undefined
      this.next?.catch(() => {})
    }
    return { pool: await this.pool, offset }
  }

  private following(epoch: number, index: number): [number, number] {
    return index + 1 < this.poolsPerEpoch ? [epoch, index + 1] : [epoch + 1, 0]
  }

  private cachedOrder: { epoch: number; order: Uint32Array } | undefined

  private blockOrder(epoch: number): Uint32Array {
    if (this.cachedOrder?.epoch === epoch) return this.cachedOrder.order
    const order = Uint32Array.from({ length: this.blocks }, (_, i) => i)
    if (this.poolsPerEpoch > 1) new Random(this.seed, 'blocks', epoch).shuffle(order)
    this.cachedOrder = { epoch, order }
    return order
  }

  private rowsOf(block: number): number {
    return Math.min(blockRows, this.rows - block * blockRows)
  }

  private sizeOf(order: Uint32Array, index: number): number {
    let size = 0
    for (let i = index * this.poolBlocks; i < Math.min(this.blocks, (index + 1) * this.poolBlocks); i++)
      size += this.rowsOf(order[i]!)
    return size
  }

  /** Reads a pool; `before` is one that is no longer served, whose memory it takes. */
  private async load(epoch: number, index: number, before?: Pool): Promise<Pool> {
    const blocks = this.blockOrder(epoch).slice(index * this.poolBlocks, (index + 1) * this.poolBlocks)
    // A reading disk likes ascending places, and the order within the pool is drawn anyway.
    const sorted = blocks.slice().sort()
    const rows = sorted.reduce((sum, block) => sum + this.rowsOf(block), 0)
    const order = new Random(this.seed, 'rows', epoch, index).shuffle(Uint32Array.from({ length: rows }, (_, i) => i))
    const is = (e: number, i: number) => e === epoch && i === index
    if (this.poolsPerEpoch === 1 && before) return { is, order, data: before.data }
    const data = before?.data ?? new Float32Array(Math.min(this.rows, this.poolBlocks * blockRows) * this.width)
    const ranges: (() => Promise<void>)[] = []
    let row = 0
    for (let i = 0; i < sorted.length; ) {
      let end = i + 1
      while (end < sorted.length && sorted[end] === sorted[end - 1]! + 1) end++
      const start = sorted[i]! * blockRows
      const count = Math.min(this.rows, (sorted[end - 1]! + 1) * blockRows) - start
      for (const range of this.place(data, row, start, count)) ranges.push(range)
      row += count
      i = end
    }
    await inTurn(ranges, rangesAtOnce)
    return { is, order, data }
  }

  /** The reads, each of bounded size, that put a range of rows at `row` of `data`, its sites side by side. */
  private place(data: Float32Array, row: number, start: number, count: number): (() => Promise<void>)[] {
    const piece = Math.max(1, Math.floor(pieceValues / this.width))
    const reads: (() => Promise<void>)[] = []
    for (let done = 0; done < count; done += piece) {
      const rows = Math.min(piece, count - done)
      let column = 0
      for (const site of this.sites) {
        const at = column
        reads.push(() => this.placeSite(data, site, at, row + done, start + done, rows))
        column += this.source.sites.find(({ name }) => name === site)!.width
      }
    }
    return reads
  }

  private async placeSite(
    data: Float32Array,
    site: string,
    column: number,
    row: number,
    start: number,
    rows: number,
  ): Promise<void> {
    const { source } = this
    if (this.sites.length === 1 && source.readInto) {
      const place = data.subarray(row * this.width, (row + rows) * this.width)
      return source.readInto(site, start, rows, place)
    }
    const values = await source.readRange(site, start, rows)
    const width = values.length / rows
    for (let r = 0; r < rows; r++)
      data.set(values.subarray(r * width, (r + 1) * width), (row + r) * this.width + column)
  }
}

/** Does the tasks in their order, at most `limit` at a time; throws what the first to fail throws, after all have ended. */
async function inTurn(tasks: readonly (() => Promise<void>)[], limit: number): Promise<void> {
  const slots = pLimit(limit)
  const ends = await Promise.allSettled(tasks.map(task => slots(task)))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}

interface Pool {
  is(epoch: number, index: number): boolean
  /** Row numbers within the pool, in the order they are served. */
  readonly order: Uint32Array
  /** At least as many rows. */
  readonly data: Float32Array
}
