/** `npm run bench -- shards`: writing activation shards, and reading them in order and shuffled, at rising numbers of rows. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { Random } from '../core/random.ts'
import { columns } from '../core/text.ts'
import { openCapture } from '../datasets/shards/index.ts'
import { columnsOfSite, type Dtype, writeMadeCapture } from '../datasets/shards/made.fixture.ts'
import { startEngine } from '../engine/engine.ts'
import { RowStream } from '../sae/training/rows.ts'
import { defineBench } from './options.ts'

const site = 'blocks.0.hook_resid_post'
const shardRows = 16_384
const batchRows = 4096
const readRows = 4096

export default defineBench({
  engine: 'tensorflow',
  about:
    'Writes captures of rising numbers of rows, then reads them in order and shuffled as training does, from the page cache. GB/s count the bytes on disk. Copied: rows that are in memory, row by row in random order.',
  examples: ['npm run bench -- shards', 'npm run bench -- shards --rows 1000000 --rows 10000000'],
  config: z.strictObject({
    rows: z.array(z.int().min(1)).min(1).default([100_000, 1_000_000]).describe('Rows of each capture'),
    width: z.int().min(1).default(64).describe('Numbers of a row'),
    dtype: z.enum(['float32', 'float16']).default('float32').describe('Numbers as stored'),
    memory: z.number().gt(0).default(64).describe('MiB of rows held for shuffling'),
    directory: z.string().default(tmpdir()).describe('Folder for the captures, which are removed in the end'),
  }),
  async run({ rows: sizes, width, dtype, memory, directory }, tell) {
    await startEngine({ engine: 'tensorflow' })
    const table: string[][] = [
      ['rows', 'GB', 'write GB/s', 'in order GB/s', 'shuffled GB/s', 'rows/s', 'copied GB/s', 'RSS MiB'],
    ]
    for (const rows of sizes) {
      const folder = await mkdtemp(join(directory, 'bench-shards-'))
      try {
        const figures = await measure(folder, { rows, width, dtype, bytes: memory * 2 ** 20 })
        tell.result(figures)
        table.push(
          Object.values(figures).map(value => (Number.isInteger(value) ? String(value) : value.toPrecision(3))),
        )
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    }
    for (const line of columns(table, [0, 1, 2, 3, 4, 5, 6, 7])) tell.line(line)
  },
})

interface Case {
  readonly rows: number
  readonly width: number
  readonly dtype: Dtype
  readonly bytes: number
}

async function measure(folder: string, { rows, width, dtype, bytes }: Case) {
  const gigabytes = (rows * width * (dtype === 'float16' ? 2 : 4)) / 1e9
  const seconds = async (work: () => Promise<unknown>) => {
    const start = performance.now()
    await work()
    return (performance.now() - start) / 1000
  }
  const written = await seconds(() => write(folder, rows, width, dtype))
  const capture = await openCapture(folder, { verify: false })
  try {
    const inOrder = async () => {
      const out = new Float32Array(readRows * width)
      for (let start = 0; start < rows; start += readRows) {
        const count = Math.min(readRows, rows - start)
        await capture.readRanges(site, [{ start, count }], out.subarray(0, count * width))
      }
    }
    await inOrder()
    const ordered = await seconds(inOrder)
    const stream = new RowStream(capture, [site], { rows, seed: 0, bytes })
    const batch = new Float32Array(readRows * width)
    let largest = 0
    const shuffled = await seconds(async () => {
      for (let visits = 0; visits + readRows <= rows; visits += readRows) {
        await stream.read(visits, readRows, batch)
        // Asking the system takes longer than reading a batch.
        if ((visits / readRows) % 64 === 0) largest = Math.max(largest, process.memoryUsage.rss())
      }
    })
    return {
      rows,
      gigabytes,
      writeRate: gigabytes / written,
      orderedRate: gigabytes / ordered,
      shuffledRate: gigabytes / shuffled,
      shuffledRows: Math.round(rows / shuffled),
      copiedRate: copied(width, bytes, batch),
      memory: Math.round(largest / 2 ** 20),
    }
  } finally {
    capture.close()
  }
}

/** GB/s at which rows of a pool are copied in random order to batches, one by one as JavaScript copies. */
function copied(width: number, bytes: number, batch: Float32Array): number {
  const rows = Math.max(readRows, Math.floor(bytes / 2 / (width * 4)))
  const pool = new Float32Array(rows * width).fill(1)
  const order = new Random('bench shards').shuffle(Uint32Array.from({ length: rows }, (_, i) => i))
  const start = performance.now()
  let count = 0
  for (; performance.now() - start < 500; count += readRows) {
    const from = count % (rows - readRows + 1)
    for (let i = 0; i < readRows; i++) {
      const at = order[from + i]! * width
      batch.set(pool.subarray(at, at + width), i * width)
    }
  }
  return (count * width * 4) / 1e6 / (performance.now() - start)
}

/** Writes a capture of normal numbers; every shard holds the same ones, which no reader notices. */
async function write(folder: string, rows: number, width: number, dtype: Dtype): Promise<void> {
  const values = Float32Array.from(new Random('bench shards').normals(shardRows * width))
  function* shards() {
    for (let from = 0; from < rows; from += shardRows)
      yield columnsOfSite(site, width, values.subarray(0, Math.min(shardRows, rows - from) * width), dtype)
  }
  await writeMadeCapture(folder, shards(), { batchRows, dtype })
}
