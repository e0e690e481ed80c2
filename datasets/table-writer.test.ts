import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTableWriter } from './table-writer.ts'
import { readTable, readTableInfo } from './tables.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'table-writer-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const piece = (start: number, rows: number) => ({
  a: { type: 'int32' as const, values: Int32Array.from({ length: rows }, (_, i) => start + i) },
  b: {
    type: 'list<string>' as const,
    values: Array.from({ length: rows }, (_, i) => (i % 3 ? [`x${i}`] : null)),
    nullable: true,
  },
})

test('pieces become one table, in row groups of their own size', async () => {
  const path = join(folder, 'whole.parquet')
  const writer = openTableWriter(path, { rowGroupRows: 100, schema: 7, metadata: { of: 'test' } })
  for (let start = 0; start < 250; start += 50) await writer.push(piece(start, 50))
  await writer.close()
  expect(await readTableInfo(path)).toMatchObject({ rows: 250, rowGroups: [100, 100, 50], schema: 7 })
  const table = await readTable(path, { schema: 7 })
  expect(table.a).toEqual(Array.from({ length: 250 }, (_, i) => i))
  expect(table.b!.slice(0, 3)).toEqual([null, ['x1'], ['x2']])
})

test('a table of no rows has its columns', async () => {
  const path = join(folder, 'empty.parquet')
  const writer = openTableWriter(path)
  await writer.push(piece(0, 0))
  await writer.close()
  expect(await readTableInfo(path)).toMatchObject({ rows: 0, columns: ['a', 'b'] })
})

test('a table that was given up leaves nothing', async () => {
  const writer = openTableWriter(join(folder, 'given-up', 'table.parquet'))
  await writer.push(piece(0, 10))
  await writer.abandon()
  expect(await readdir(folder)).not.toContain('table.parquet')
  expect((await readdir(folder, { recursive: true })).filter(name => name.includes('given-up/'))).toEqual([])
})

test('a place that cannot be written is told to whoever pushes or closes', async () => {
  const writer = openTableWriter('/proc/nothing/table.parquet')
  const work = (async () => {
    for (let i = 0; i < 100; i++) await writer.push(piece(i, 1000))
    await writer.close()
  })()
  await expect(work).rejects.toThrow('/proc/nothing')
})
