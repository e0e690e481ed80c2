/** Where training rows come from, and in which order they are learned. */
import pLimit from 'p-limit'
import { Random } from '../../core/random.ts'
import type { RowRange } from '../../datasets/shards/index.ts'
import { gatherRows, placeColumns } from '../../engine/ops/gather.ts'
import { shuffleWords } from '../../engine/ops/shuffle.ts'

/** Rows of activations on disk or in memory; an open `Capture` (datasets/shards) is one. */
export interface ActivationSource {
  readonly rows: number
  readonly sites: readonly { readonly name: string; readonly width: number }[]
  /** Rows `start` to `start + count` of a site, one after the other. */
  readRange(site: string, start: number, count: number): Promise<Float32Array>
  /** Rows of ranges, one after the other, into `out`, which is not looked at before it is done, while this thread goes on. */
  readRanges?(site: string, ranges: readonly RowRange[], out: Float32Array): Promise<void>
  /** A row in words, such as `row 17 of shard-00002.arrow (row 33,000 of the capture)`. */
  placeOf?(row: number): string
}

/** Consecutive rows that stay together when a capture is too large to shuffle at once. */
const blockRows = 256

/**
 * Pieces of a pool that are asked for at once. While a step computes, nobody is told that one has come, so what is asked for must
 * last for a step.
 */
const piecesAtOnce = 8

/** Values of a piece at most, but for rows that are longer: what is in flight and not yet in its place stays below 32 MiB a site. */
const pieceValues = 1 << 20

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
      const place = batch.subarray(filled * this.width, (filled + take) * this.width)
      gatherRows(pool.data, this.width, pool.order.subarray(offset, offset + take), place)
      filled += take
    }
    return batch
  }

  /** Rows `start` to `start + count` as they lie in the source, sites side by side. */
  async inOrder(start: number, count: number): Promise<Float32Array> {
    const rows = new Float32Array(count * this.width)
    for (const piece of this.pieces([{ start, count }])) await this.place(rows, piece)
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
    const order = new Uint32Array(this.blocks)
    for (let i = 0; i < this.blocks; i++) order[i] = i
    if (this.poolsPerEpoch > 1) shuffleWords(order, new Random(this.seed, 'blocks', epoch))
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
    const order = new Uint32Array(rows)
    for (let i = 0; i < rows; i++) order[i] = i
    shuffleWords(order, new Random(this.seed, 'rows', epoch, index))
    const is = (e: number, i: number) => e === epoch && i === index
    if (this.poolsPerEpoch === 1 && before) return { is, order, data: before.data }
    const data = before?.data ?? new Float32Array(Math.min(this.rows, this.poolBlocks * blockRows) * this.width)
    const ranges: RowRange[] = []
    for (let i = 0; i < sorted.length; ) {
      let end = i + 1
      while (end < sorted.length && sorted[end] === sorted[end - 1]! + 1) end++
      const start = sorted[i]! * blockRows
      ranges.push({ start, count: Math.min(this.rows, (sorted[end - 1]! + 1) * blockRows) - start })
      i = end
    }
    const pieces = this.pieces(ranges).map(piece => () => this.place(data, piece))
    await inTurn(pieces, piecesAtOnce)
    return { is, order, data }
  }

  /** Ranges of rows, which lie one after the other in a pool, in pieces of bounded size. */
  private pieces(ranges: readonly RowRange[]): Piece[] {
    const most = Math.max(1, Math.floor(pieceValues / this.width))
    const pieces: Piece[] = []
    let row = 0
    let piece: Piece & { ranges: RowRange[] } = { row, rows: 0, ranges: [] }
    for (const { start, count } of ranges)
      for (let done = 0; done < count; ) {
        if (piece.rows === most) {
          pieces.push(piece)
          piece = { row, rows: 0, ranges: [] }
        }
        const take = Math.min(count - done, most - piece.rows)
        piece.ranges.push({ start: start + done, count: take })
        piece.rows += take
        row += take
        done += take
      }
    if (piece.rows > 0) pieces.push(piece)
    return pieces
  }

  /** Reads a piece to its place in `data`, its sites side by side. */
  private async place(data: Float32Array, { row, rows, ranges }: Piece): Promise<void> {
    const place = data.subarray(row * this.width, (row + rows) * this.width)
    let column = 0
    for (const name of this.sites) {
      const { width } = this.source.sites.find(site => site.name === name)!
      const values = this.sites.length === 1 ? place : new Float32Array(rows * width)
      await this.readRanges(name, ranges, values)
      if (values !== place) placeColumns(values, width, place, this.width, column)
      column += width
    }
  }

  private async readRanges(site: string, ranges: readonly RowRange[], out: Float32Array): Promise<void> {
    if (this.source.readRanges) return this.source.readRanges(site, ranges, out)
    let at = 0
    for (const { start, count } of ranges) {
      const values = await this.source.readRange(site, start, count)
      out.set(values, at)
      at += values.length
    }
  }
}

/** Does the tasks in their order, at most `limit` at a time; throws what the first to fail throws, after all have ended. */
async function inTurn(tasks: readonly (() => Promise<void>)[], limit: number): Promise<void> {
  const slots = pLimit(limit)
  const ends = await Promise.allSettled(tasks.map(task => slots(task)))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}

/** Rows that are read at once. */
interface Piece {
  /** Where they begin in the pool. */
  readonly row: number
  rows: number
  readonly ranges: readonly RowRange[]
}

interface Pool {
  is(epoch: number, index: number): boolean
  /** Row numbers within the pool, in the order they are served. */
  readonly order: Uint32Array
  /** At least as many rows. */
  readonly data: Float32Array
}
