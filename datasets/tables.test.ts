import { mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as arrow from 'apache-arrow'
import fc from 'fast-check'
import * as parquet from 'parquet-wasm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { UserError } from '../core/errors.ts'
import { sha256File } from '../core/hash.ts'
import { Random } from '../core/random.ts'
import { type Column, encodeTable, readTable, readTableInfo, writeTable } from './tables.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tables-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const everyType: Record<string, Column> = {
  latent: { type: 'int32', values: Int32Array.of(1, -2, 3) },
  document: { type: 'uint32', values: [0, 4_294_967_295, 7] },
  count: { type: 'int64', values: [1, 9_007_199_254_740_991, -5n] },
  density: { type: 'float32', values: Float32Array.of(0.5, -0.25, 3) },
  p: { type: 'float64', values: [0.1, 1e-300, Number.NEGATIVE_INFINITY] },
  dead: { type: 'boolean', values: [true, false, 1] },
  label: { type: 'string', values: ['Paris ☕', '', 'café'] },
  bins: { type: 'list<float32>', values: [Float32Array.of(1, 2), [], [0.5]] },
  tokens: { type: 'list<int32>', values: [[1], [2, 3], Int32Array.of(-4)] },
  words: { type: 'list<string>', values: [['a', 'ß'], [], ['']] },
}

describe('a table', () => {
  test('comes back as it was written, in every type', async () => {
    const path = join(folder, 'every.parquet')
    await writeTable(path, everyType, { metadata: { stage: 'test', note: 'x' } })
    expect(await readTable(path)).toEqual({
      latent: [1, -2, 3],
      document: [0, 4_294_967_295, 7],
      count: [1, 9_007_199_254_740_991, -5],
      density: [0.5, -0.25, 3],
      p: [0.1, 1e-300, Number.NEGATIVE_INFINITY],
      dead: [true, false, true],
      label: ['Paris ☕', '', 'café'],
      bins: [[1, 2], [], [0.5]],
      tokens: [[1], [2, 3], [-4]],
      words: [['a', 'ß'], [], ['']],
    })
    const info = await readTableInfo(path)
    expect(info).toMatchObject({
      rows: 3,
      rowGroups: [3],
      columns: Object.keys(everyType),
      schema: 1,
      lists: ['bins', 'tokens', 'words'],
      metadata: { stage: 'test', note: 'x' },
    })
  })

  test('keeps missing values in every type', async () => {
    const path = join(folder, 'nulls.parquet')
    const columns = Object.fromEntries(
      Object.entries(everyType).map(([name, column]) => [
        name,
        { type: column.type, values: [null, column.values[0], null] } as Column,
      ]),
    )
    await writeTable(path, columns)
    for (const values of Object.values(await readTable(path))) {
      expect([values[0], values[2]]).toEqual([null, null])
      expect(values[1]).not.toBeNull()
    }
  })

  test.each<[string, Column]>([
    ['number', { type: 'float64', values: [1, Number.NaN] }],
    ['typed array', { type: 'float32', values: Float32Array.of(Number.NaN) }],
    ['list', { type: 'list<float32>', values: [[1], [2, Number.NaN]] }],
  ])('refuses NaN for a missing value: %s', (_, column) => {
    expect(() => encodeTable({ effect: column })).toThrow(/The column effect holds NaN at \d; a missing value is null/)
  })

  test('declares a nullable column so whether or not a value is missing', async () => {
    const fieldsOf = (values: (number | null)[]) => {
      const bytes = encodeTable({ q: { type: 'float64', values, nullable: true }, n: { type: 'int32', values: [1] } })
      return arrow.tableFromIPC(parquet.readParquet(bytes).intoIPCStream()).schema.fields.map(field => field.nullable)
    }
    expect(fieldsOf([1])).toEqual([true, false])
    expect(fieldsOf([null])).toEqual([true, false])
  })

  test('may be empty', async () => {
    const path = join(folder, 'empty.parquet')
    await writeTable(path, { latent: { type: 'int32', values: [] }, bins: { type: 'list<float32>', values: [] } })
    expect(await readTable(path)).toEqual({ latent: [], bins: [] })
    expect((await readTableInfo(path)).rows).toBe(0)
  })

  test('can be read in part: some columns of one row group, or a range of rows', async () => {
    const path = join(folder, 'groups.parquet')
    const values = Int32Array.from({ length: 10 }, (_, i) => i)
    await writeTable(path, { a: { type: 'int32', values }, b: { type: 'int32', values } }, { rowGroupRows: 4 })
    expect((await readTableInfo(path)).rowGroups).toEqual([4, 4, 2])
    expect(await readTable(path, { columns: ['b'], rowGroups: [1] })).toEqual({ b: [4, 5, 6, 7] })
    expect(await readTable(path, { columns: ['a'], offset: 7, limit: 2 })).toEqual({ a: [7, 8] })
  })

  test('has the same bytes each time, also with several metadata keys', async () => {
    const hashes = new Set<string>()
    for (let i = 0; i < 4; i++) {
      const path = join(folder, `same-${i}.parquet`)
      await writeTable(path, everyType, { metadata: { a: '1', b: '2', c: '3' } })
      hashes.add(await sha256File(path))
    }
    expect(hashes.size).toBe(1)
  })

  test('holds whatever numbers, texts and lists it is given', async () => {
    const path = join(folder, 'property.parquet')
    const row = fc.record({
      float: fc.double({ noNaN: true }),
      text: fc.option(fc.string({ unit: 'grapheme' })),
      list: fc.option(fc.array(fc.integer({ min: -2_147_483_648, max: 2_147_483_647 }))),
    })
    const groups = fc.integer({ min: 1, max: 5 })
    const compression = fc.constantFrom('snappy' as const, 'zstd' as const)
    await fc.assert(
      fc.asyncProperty(fc.array(row), groups, compression, async (rows, rowGroupRows, compression) => {
        await writeTable(
          path,
          {
            float: { type: 'float64', values: rows.map(r => r.float) },
            text: { type: 'string', values: rows.map(r => r.text) },
            list: { type: 'list<int32>', values: rows.map(r => r.list) },
          },
          { rowGroupRows, compression },
        )
        const read = await readTable(path)
        expect(read.float).toEqual(rows.map(r => r.float))
        expect(read.text).toEqual(rows.map(r => r.text))
        expect(read.list).toEqual(rows.map(r => r.list))
      }),
      { numRuns: 40, seed: 1 },
    )
  })

  test('opens in another Parquet reader', async () => {
    const path = join(folder, 'other.parquet')
    const { words, bins, tokens, ...flat } = everyType
    await writeTable(path, flat, { dictionary: false })
    const { ParquetReader } = createRequire(import.meta.url)('parquetjs-lite')
    const reader = await ParquetReader.openFile(path)
    const cursor = reader.getCursor()
    const rows: Record<string, unknown>[] = []
    for (let row = await cursor.next(); row; row = await cursor.next()) rows.push(row)
    await reader.close()
    expect(rows.map(r => [r.latent, r.density, r.dead, String(r.label)])).toEqual([
      [1, 0.5, true, 'Paris ☕'],
      [-2, -0.25, false, ''],
      [3, 3, true, 'café'],
    ])
  })
})

test('only the ranges asked for are read: rows of a file larger than a buffer can be', async () => {
  const path = join(folder, 'large.parquet')
  await writeTable(
    path,
    { a: { type: 'int32', values: [1, 2, 3, 4] }, b: { type: 'int32', values: [5, 6, 7, 8] } },
    { rowGroupRows: 2 },
  )
  // Nothing between the last row group and the footer, but 3 GiB of it; the disk holds no byte of them.
  const bytes = await readFile(path)
  const footer = bytes.readUInt32LE(bytes.length - 8) + 8
  const file = await open(path, 'r+')
  await file.write(bytes, bytes.length - footer, footer, 3 * 2 ** 30)
  await file.close()
  expect(await readTable(path, { rowGroups: [1], columns: ['a'] })).toEqual({ a: [3, 4] })
  await rm(path)
})

describe('a table that cannot be read says why', () => {
  test('absent', () => expect(readTable(join(folder, 'none.parquet'))).rejects.toThrow(/There is no table at/))

  test('not Parquet', async () => {
    const path = join(folder, 'text.parquet')
    await writeFile(path, 'this is a text file, not a table')
    await expect(readTable(path)).rejects.toThrow(/is not a whole Parquet file/)
  })

  test('cut short', async () => {
    const path = join(folder, 'cut.parquet')
    await writeTable(path, everyType)
    await writeFile(path, (await readFile(path)).subarray(0, -20))
    await expect(readTable(path)).rejects.toThrow(/is not a whole Parquet file/)
  })

  const withFooter = (text: string) => {
    const [field, data] = [
      new arrow.Field('a', new arrow.Int32()),
      arrow.makeData({ type: new arrow.Int32(), data: Int32Array.of(1) }),
    ]
    const schema = new arrow.Schema([field])
    const struct = arrow.makeData({ type: new arrow.Struct([field]), length: 1, nullCount: 0, children: [data] })
    const stream = arrow.tableToIPC(new arrow.Table(schema, new arrow.RecordBatch(schema, struct)), 'stream')
    const properties = new parquet.WriterPropertiesBuilder().setKeyValueMetadata(new Map([['pipeline', text]])).build()
    return parquet.writeParquet(parquet.Table.fromIPCStream(stream), properties)
  }

  test.each(['{"schema":q}', '', 'null', '[]', '{"schema":"1"}', '{"schema":1.5}', '{"schema":1,"a":2}'])(
    'whose metadata is %j',
    async text => {
      const path = join(folder, 'footer.parquet')
      await writeFile(path, withFooter(text))
      for (const read of [readTable, readTableInfo])
        await expect(read(path)).rejects.toThrow('is damaged: its metadata is not what pipeline writes')
    },
  )

  test('of a later schema', async () => {
    const path = join(folder, 'later.parquet')
    await writeTable(path, everyType, { schema: 2 })
    await expect(readTable(path)).rejects.toThrow(/has schema 2, but this version reads schema 1/)
  })

  test('without the column asked for', async () => {
    const path = join(folder, 'column.parquet')
    await writeTable(path, { latent: { type: 'int32', values: [1] } })
    await expect(readTable(path, { columns: ['laten'] })).rejects.toThrow(/has no column laten; it has latent/)
  })
})

describe('damaged anywhere', () => {
  /** One damage of a kind that makes the decoder panic, or answer, or say what is wrong. */
  function damage(bytes: Uint8Array, random: Random): Uint8Array {
    const at = 4 + random.int(bytes.length - 12)
    const length = 1 + random.int(63)
    switch (random.int(3)) {
      case 0: {
        const copy = Uint8Array.from(bytes)
        copy[bytes.length - 9 - random.int(Math.min(3000, bytes.length - 13))]! ^= 1 << random.int(8)
        return copy
      }
      case 1:
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
      default:
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - length), at), bytes.subarray(at)])
    }
  }

  test('a table is read or refused in one line, and the next whole one is read', async () => {
    const [whole, path] = [join(folder, 'whole.parquet'), join(folder, 'damaged.parquet')]
    await writeTable(whole, everyType, { rowGroupRows: 2 })
    const bytes = await readFile(whole)
    const random = new Random(3, 'damage')
    let refused = 0
    for (let i = 0; i < 60; i++) {
      await writeFile(path, damage(bytes, random))
      try {
        await readTable(path)
      } catch (error) {
        refused++
        expect(error).toBeInstanceOf(UserError)
        expect((error as Error).message).toMatch(/^The table [^\n]*\.$/)
      }
    }
    expect(refused).toBeGreaterThan(30)
    expect((await readTable(whole)).latent).toEqual([1, -2, 3])
  }, 60_000)

  test('one of several that are read at once spoils no other', async () => {
    const [whole, path] = [join(folder, 'whole.parquet'), join(folder, 'zeroed.parquet')]
    await writeTable(whole, everyType)
    const bytes = await readFile(whole)
    await writeFile(path, bytes.fill(0xff, 40, bytes.length - 8))
    const results = await Promise.allSettled([whole, path, whole, path, whole].map(file => readTable(file)))
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'])
  })
})

test('columns of unequal length are refused and leave no file', async () => {
  const path = join(folder, 'unequal.parquet')
  const write = writeTable(path, { a: { type: 'int32', values: [1] }, b: { type: 'int32', values: [1, 2] } })
  await expect(write).rejects.toThrow(/Column b has 2 values, but the table has 1 rows/)
  expect((await readdir(folder)).filter(name => name.startsWith('unequal'))).toEqual([])
})
