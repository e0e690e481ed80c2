import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tableFromIPC } from 'apache-arrow'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeAtomic, writeJson } from '../../core/files.ts'
import { sha256 } from '../../core/hash.ts'
import { Random } from '../../core/random.ts'
import { floatsToHalves, fromHalf, toHalf } from '../../engine/ops/halves.ts'
import { readTable } from '../tables.ts'
import { encodeParquetShard, openCapture, type ShardColumns } from './index.ts'
import { type Dtype, shardBytes, writeMadeCapture } from './made.fixture.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shards-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

function columnsOf(rows: number, widths: readonly number[], dtype: Dtype, seed: number): ShardColumns {
  const random = new Random(seed)
  return {
    document: Uint32Array.from({ length: rows }, () => random.bits()),
    position: Uint16Array.from({ length: rows }, () => random.int(65_536)),
    token: Int32Array.from({ length: rows }, () => random.bits() | 0),
    stratum: Uint16Array.from({ length: rows }, () => random.int(7)),
    weight: random.normals(rows),
    sites: widths.map((width, i) => {
      const values = random.normals(rows * width)
      return { name: `blocks.${i}.hook`, width, values: dtype === 'float16' ? floatsToHalves(values) : values }
    }),
  }
}

/** Writes a capture whose shards hold these columns. */
async function writeCapture(
  name: string,
  shards: readonly ShardColumns[],
  batchRows: number,
  dtype: Dtype = 'float32',
): Promise<string> {
  const directory = join(folder, name)
  await writeMadeCapture(directory, shards, { batchRows, dtype })
  return directory
}

describe('half precision', () => {
  test('knows the numbers that halves have', () => {
    expect([0, -0, 1, -2, 65_504, 2 ** -24, 2 ** -14, 1 / 3].map(toHalf)).toEqual([
      0, 0x8000, 0x3c00, 0xc000, 0x7bff, 1, 0x0400, 0x3555,
    ])
    expect([65_519, 65_520, -1e9].map(toHalf)).toEqual([0x7bff, 0x7c00, 0xfc00])
    expect(fromHalf(toHalf(Number.NaN))).toBeNaN()
  })

  test('takes every half to itself, and every number to its nearest half, ties to even', () => {
    for (let bits = 0; bits < 0x7c00; bits++) {
      const value = fromHalf(bits)
      expect(toHalf(value)).toBe(bits)
      expect(toHalf(-value)).toBe(bits | 0x8000)
      if (bits === 0x7bff) break
      const middle = (value + fromHalf(bits + 1)) / 2
      const even = bits & 1 ? bits + 1 : bits
      if (toHalf(middle) !== even) throw new Error(`the middle above ${bits} goes to ${toHalf(middle)}`)
      if (toHalf(middle * (1 + 2 ** -20)) !== bits + 1) throw new Error(`above the middle of ${bits}`)
    }
  })
})

describe('a shard', () => {
  test.each(['float32', 'float16'] as const)('of %s opens in the Arrow library with the same columns', async dtype => {
    const columns = columnsOf(11, [3, 2], dtype, 1)
    const table = tableFromIPC(await shardBytes(columns, 4))
    expect(table.batches.map(batch => batch.numRows)).toEqual([4, 4, 3])
    expect(table.schema.fields.map(({ name, type }) => `${name}: ${type}`)).toEqual([
      'document: Uint32',
      'position: Uint16',
      'token: Int32',
      'stratum: Uint16',
      'weight: Float32',
      `blocks.0.hook: FixedSizeList[3]<${dtype === 'float32' ? 'Float32' : 'Float16'}>`,
      `blocks.1.hook: FixedSizeList[2]<${dtype === 'float32' ? 'Float32' : 'Float16'}>`,
    ])
    for (const name of ['document', 'position', 'token', 'stratum', 'weight'] as const)
      expect(Array.from(table.getChild(name)!)).toEqual(Array.from(columns[name]))
    const site = columns.sites[1]!
    const numbers = Array.from(site.values, value => (dtype === 'float16' ? fromHalf(value) : value))
    const read = Array.from({ length: 11 }, (_, i) => Array.from(table.getChild(site.name)!.get(i))).flat()
    expect(read).toEqual(numbers)
  })

  test('as Parquet holds the same columns', async () => {
    const columns = columnsOf(5, [3], 'float32', 2)
    const path = join(folder, 'shard.parquet')
    await writeAtomic(path, encodeParquetShard(columns, 2))
    const table = await readTable(path)
    expect(table.token).toEqual(Array.from(columns.token))
    expect((table['blocks.0.hook'] as number[][]).flat()).toEqual(Array.from(columns.sites[0]!.values))
  })
})

describe('rows of a capture', () => {
  test('are those the Arrow library reads, in any order, with repeats, over shards and batches', async () => {
    let number = 0
    const shape = fc.record({
      shardRows: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 }),
      widths: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 2 }),
      batchRows: fc.integer({ min: 1, max: 12 }),
      dtype: fc.constantFrom<Dtype>('float32', 'float16'),
      picks: fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { maxLength: 60 }),
    })
    await fc.assert(
      fc.asyncProperty(shape, async ({ shardRows, widths, batchRows, dtype, picks }) => {
        const shards = shardRows.map((rows, i) => columnsOf(rows, widths, dtype, i))
        const directory = await writeCapture(`property-${number++}`, shards, batchRows, dtype)
        const capture = await openCapture(directory)
        const rows = picks.map(pick => Math.floor(pick * capture.rows))
        for (const [i, { name, width }] of capture.sites.entries()) {
          const all: number[][] = []
          for (const { file } of capture.manifest.shards) {
            const table = tableFromIPC(await readFile(join(directory, file)))
            for (const row of table.getChild(name)!) all.push(Array.from(row as Iterable<number>))
          }
          expect(width).toBe(widths[i])
          expect(Array.from(await capture.read(name, rows))).toEqual(rows.flatMap(row => all[row]!))
          expect(Array.from(await capture.readRange(name, 0, capture.rows))).toEqual(all.flat())
        }
        const columns = await capture.columns()
        expect(Array.from(columns.token)).toEqual(shards.flatMap(({ token }) => Array.from(token)))
        expect(Array.from(columns.weight)).toEqual(shards.flatMap(({ weight }) => Array.from(weight)))
        capture.close()
      }),
      { numRuns: 60, seed: 1 },
    )
  })

  test('of many shards are read with few files open', async () => {
    const shards = Array.from({ length: 150 }, (_, i) => columnsOf(2, [2], 'float32', i))
    const capture = await openCapture(await writeCapture('many', shards, 2))
    const expected = shards.flatMap(({ sites }) => Array.from(sites[0]!.values))
    for (let i = 0; i < 2; i++) expect(Array.from(await capture.readRange('blocks.0.hook', 0, 300))).toEqual(expected)
    expect([0, 3, 299].map(row => capture.placeOf(row).replace(`${capture.directory}/`, ''))).toEqual([
      'row 0 of shard-0.arrow (row 0 of the capture)',
      'row 1 of shard-1.arrow (row 3 of the capture)',
      'row 1 of shard-149.arrow (row 299 of the capture)',
    ])
    capture.close()
  })

  test.each<Dtype>(['float32', 'float16'])('of %s are the same when many ranges are read at once', async dtype => {
    const shards = Array.from({ length: 150 }, (_, i) => columnsOf(5, [3], dtype, i))
    const capture = await openCapture(await writeCapture(`together-${dtype}`, shards, 2, dtype))
    const [{ name, width }] = capture.sites as [{ name: string; width: number }]
    const ranges = Array.from({ length: 75 }, (_, i) => ({ start: i * 9, count: 1 + ((i * 37) % 60) }))
    const outs = ranges.map(({ count }) => new Float32Array(count * width))
    // More shards are read at once than are kept open: none may be closed under a reader.
    await Promise.all(ranges.map((range, i) => capture.readRanges(name, [range], outs[i]!)))
    const all = new Float32Array(outs.reduce((sum, { length }) => sum + length, 0))
    await capture.readRanges(name, ranges, all)
    expect(all).toEqual(Float32Array.from(outs.flatMap(out => [...out])))
    for (const [i, { start, count }] of ranges.entries())
      expect(outs[i]).toEqual(
        await capture.read(
          name,
          Array.from({ length: count }, (_, r) => start + r),
        ),
      )
    const beyond = capture.readRanges(name, [{ start: capture.rows, count: 1 }], new Float32Array(width))
    await expect(beyond).rejects.toThrow('Rows 750 to 751 were asked for, but the capture has 750 rows.')
    // What is closed while it is read is read to its end.
    const last = capture.readRanges(
      name,
      ranges.slice(0, 9),
      all.subarray(
        0,
        ranges.slice(0, 9).reduce((sum, { count }) => sum + count * width, 0),
      ),
    )
    capture.close()
    await last
    expect(all.subarray(0, outs[0]!.length)).toEqual(outs[0])
  })

  test('go into an array that is given', async () => {
    const capture = await openCapture(await writeCapture('out', [columnsOf(4, [3], 'float32', 3)], 2))
    const out = new Float32Array(6)
    expect(await capture.read('blocks.0.hook', Uint32Array.of(3, 1), out)).toBe(out)
    expect(out).toEqual(await capture.read('blocks.0.hook', [3, 1]))
    await expect(capture.read('blocks.0.hook', [1], out)).rejects.toThrow(/out has 6 values/)
    await expect(capture.read('blocks.0.hook', [4])).rejects.toThrow(/Row 4 was asked for/)
    await expect(capture.read('blocks.0.hok', [0])).rejects.toThrow(
      /has no site blocks\.0\.hok; it has blocks\.0\.hook/,
    )
    capture.close()
  })
})

describe('a capture that is not as it should be is refused', () => {
  let good: string
  beforeAll(async () => {
    good = await writeCapture('good', [columnsOf(6, [4], 'float32', 5), columnsOf(6, [4], 'float32', 6)], 4)
  })
  const broken = async (name: string, change: (directory: string) => Promise<void>) => {
    const directory = join(folder, name)
    await cp(good, directory, { recursive: true })
    await change(directory)
    return directory
  }
  const edit = (change: (manifest: Record<string, unknown>) => void) => async (directory: string) => {
    const manifest = JSON.parse(await readFile(join(directory, 'capture.json'), 'utf8'))
    change(manifest)
    await writeJson(join(directory, 'capture.json'), manifest)
  }

  test('no manifest', () => expect(openCapture(folder)).rejects.toThrow(/There is no capture at/))

  test('a later schema', async () => {
    const directory = await broken(
      'schema',
      edit(manifest => Object.assign(manifest, { schema: 4 })),
    )
    await expect(openCapture(directory)).rejects.toThrow(/has schema 4, but this version reads schemas 1 to 3/)
  })

  test('but one of schema 1 is read as what it is', async () => {
    const directory = await broken(
      'old',
      edit(manifest => {
        const { dataset, sampling } = manifest as Record<string, Record<string, unknown>>
        Object.assign(manifest, { schema: 1 })
        delete manifest.windows
        delete dataset!.skipped
        delete sampling!.excludeTokens
        delete sampling!.pilot
        delete manifest.audit
        for (const site of manifest.sites as { statistics: { rounding?: null } }[]) delete site.statistics.rounding
      }),
    )
    const { manifest, ...capture } = await openCapture(directory)
    const { excludeTokens, pilot } = manifest.sampling
    expect([manifest.schema, manifest.windows, excludeTokens, pilot]).toEqual([3, null, [], null])
    expect(capture).toBeDefined()
  })

  test('an unknown key', async () => {
    const directory = await broken(
      'key',
      edit(manifest => Object.assign(manifest, { row: 1 })),
    )
    await expect(openCapture(directory)).rejects.toThrow(/capture\.json has no key row/)
  })

  test('rows that do not add up', async () => {
    const directory = await broken(
      'rows',
      edit(manifest => Object.assign(manifest, { rows: 13 })),
    )
    await expect(openCapture(directory)).rejects.toThrow(/do not add up to its 13 rows/)
  })

  test('a shard missing', async () => {
    const directory = await broken('missing', directory => rm(join(directory, 'shard-1.arrow')))
    await expect(openCapture(directory)).rejects.toThrow(/There is no shard at .*shard-1\.arrow/)
  })

  test('a shard cut short', async () => {
    const directory = await broken('short', async directory => {
      const path = join(directory, 'shard-0.arrow')
      await writeFile(path, (await readFile(path)).subarray(0, -8))
    })
    await expect(openCapture(directory)).rejects.toThrow(/shard-0\.arrow has \d+ bytes, but capture\.json says/)
  })

  test('a single bit changed', async () => {
    const directory = await broken('bit', async directory => {
      const path = join(directory, 'shard-1.arrow')
      const bytes = await readFile(path)
      bytes[bytes.length >> 1]! ^= 1
      await writeFile(path, bytes)
    })
    await expect(openCapture(directory)).rejects.toThrow(/checksum of the shard .*shard-1\.arrow is wrong/)
    const unchecked = await openCapture(directory, { verify: false })
    await expect(unchecked.verify()).rejects.toThrow(/checksum/)
    unchecked.close()
  })

  /** Whether a shard with one byte changed is refused; throws where that is not a sentence. */
  const refusedWith = async (directory: string, bytes: Uint8Array, at: number, change: number): Promise<boolean> => {
    const copy = Uint8Array.from(bytes)
    copy[at]! ^= change
    await writeFile(join(directory, 'shard-0.arrow'), copy)
    const capture = await openCapture(directory, { verify: false })
    try {
      await capture.readRange('blocks.0.hook', 0, 6)
      await capture.read('blocks.0.hook', [5, 0, 3])
      await capture.columns()
      return false
    } catch (error) {
      if ((error as Error).name !== 'UserError') throw error
      return true
    } finally {
      capture.close()
    }
  }

  /** Bytes counted from the end, and their change, that once brought the reader down. */
  const found: [back: number, change: number][] = [[366, 8]]

  test('a damaged file never crashes the reader, its checksum aside', async () => {
    const bytes = await readFile(join(good, 'shard-0.arrow'))
    const directory = await broken('fuzz', async () => {})
    for (const [back, change] of found)
      expect(await refusedWith(directory, bytes, bytes.length - back, change)).toBe(true)
    let refused = 0
    // Half of the changes are in the footer, which says where everything lies.
    const place = fc.oneof(
      fc.integer({ min: 0, max: bytes.length - 1 }),
      fc.integer({ min: bytes.length - 700, max: bytes.length - 1 }),
    )
    await fc.assert(
      fc.asyncProperty(place, fc.integer({ min: 1, max: 255 }), async (at, change) => {
        if (await refusedWith(directory, bytes, at, change)) refused++
      }),
      { numRuns: process.env.PIPELINE_LONG ? 50_000 : 300, seed: 1 },
    )
    expect(refused).toBeGreaterThan(50)
  }, 600_000)

  test.each([
    [
      'another width',
      [columnsOf(6, [5], 'float32', 5)],
      /has the column blocks\.0\.hook of 5 float32, but capture\.json says blocks\.0\.hook of 4 float32/,
    ],
    [
      'another type',
      [columnsOf(6, [4], 'float16', 5)],
      /of 4 float16, but capture\.json says blocks\.0\.hook of 4 float32/,
    ],
    ['a column more', [columnsOf(6, [4, 4], 'float32', 5)], /has 7 columns, but capture\.json says 6/],
    ['fewer rows', [columnsOf(5, [4], 'float32', 5)], /has 5 rows, but capture\.json says 6/],
  ] as const)('a shard with %s than the manifest says, its checksum aside', async (what, shards, message) => {
    const directory = await broken(`match-${what}`, async directory => {
      const bytes = await shardBytes(shards[0], 4)
      await writeFile(join(directory, 'shard-0.arrow'), bytes)
      await edit(manifest => {
        const [first] = manifest.shards as { bytes: number; sha256: string }[]
        Object.assign(first!, { bytes: bytes.length, sha256: sha256(bytes) })
      })(directory)
    })
    const capture = await openCapture(directory)
    await expect(capture.readRange('blocks.0.hook', 0, 6)).rejects.toThrow(message)
    await expect(capture.columns()).rejects.toMatchObject({ name: 'UserError', exitCode: 1 })
    capture.close()
  })

  test('a shard whose batches are cut elsewhere', async () => {
    const directory = await broken('batches', async directory => {
      const bytes = await shardBytes(columnsOf(6, [4], 'float32', 5), 3)
      await writeFile(join(directory, 'shard-0.arrow'), bytes)
      await edit(manifest => {
        const [first] = manifest.shards as { bytes: number; sha256: string }[]
        Object.assign(first!, { bytes: bytes.length, sha256: sha256(bytes) })
      })(directory)
    })
    const capture = await openCapture(directory)
    await expect(capture.read('blocks.0.hook', [0])).rejects.toThrow(/has a batch of 3 rows, but capture\.json says 4/)
    capture.close()
  })
})
