import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { readTable, writeTable } from '../../datasets/tables.ts'
import { select } from './select.ts'
import { Table } from './table.ts'

const reads = vi.hoisted(() => [] as { columns?: readonly string[]; rowGroups?: readonly number[]; limit?: number }[])
vi.mock('../../datasets/tables.ts', async original => {
  const tables = await original<typeof import('../../datasets/tables.ts')>()
  return {
    ...tables,
    readArrow: (path: string, options: (typeof reads)[number]) => {
      reads.push(options)
      return tables.readArrow(path, options)
    },
  }
})

const rows = 100
let folder: string
let path: string
let all: Record<string, unknown[]>
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'table-'))
  path = join(folder, 'features.parquet')
  const of = <T>(make: (row: number) => T) => Array.from({ length: rows }, (_, row) => make(row))
  await writeTable(
    path,
    {
      latent: { type: 'int32', values: of(row => row) },
      tokens: { type: 'int64', values: of(row => (row % 9 ? row * 2 ** 40 : null)) },
      density: { type: 'float32', values: of(row => (row % 7 ? row / 3 : null)) },
      verdict: { type: 'string', values: of(row => ['pass', 'fail', '', null][row % 4]!) },
      label: { type: 'string', values: of(row => (row % 5 ? `label ${row}` : null)) },
      alive: { type: 'boolean', values: of(row => (row % 3 ? row % 2 === 0 : null)) },
      words: { type: 'list<string>', values: of(row => (row % 6 ? [`a${row}`, ''] : null)) },
    },
    { rowGroupRows: 8 },
  )
  all = await readTable(path)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const rowOf = (row: number) => Object.fromEntries(Object.entries(all).map(([name, values]) => [name, values[row]]))

test('rows of columns that are not in memory are read from their row groups alone, in the order asked for', async () => {
  const table = await Table.open(path, 1)
  reads.length = 0
  const wanted = [99, 17, 23, 0, 17]
  expect(await table.records(wanted)).toEqual(wanted.map(rowOf))
  expect(reads.map(({ rowGroups, limit }) => [rowGroups, limit])).toEqual([
    [[0], 1],
    [[2], 7],
    [[12], 1],
  ])
  expect(table.bytes).toBe(0)
  expect(await table.records([])).toEqual([])
})

test('what is in memory is not read again, and every type gives the same either way', async () => {
  const table = await (await Table.open(path, 1)).load(['latent', 'tokens', 'density', 'verdict', 'label', 'alive'])
  reads.length = 0
  const wanted = Array.from({ length: rows }, (_, row) => row)
  expect(await table.records(wanted)).toEqual(wanted.map(rowOf))
  expect(reads.every(({ columns }) => columns!.join() === 'words')).toBe(true)
  expect(Array.from(wanted, row => table.row(row, ['verdict', 'alive']))).toEqual(
    wanted.map(row => ({ verdict: all.verdict![row], alive: all.alive![row] })),
  )
  for (const name of table.names)
    expect(await table.missing(name), name).toBe(all[name]!.filter(value => value === null).length)
  const taken = await table.take(Int32Array.from([40, 9]), table.names)
  expect(taken.schema.fields.map(({ type }) => String(type))).toEqual(
    table.names.map(name => String(table.typeOf(name))),
  )
  expect(taken.getChild('tokens')!.toArray()[0]).toBe(BigInt(40 * 2 ** 40))
})

test('a question keeps its columns while others push them out of a small memory', async () => {
  const table = await Table.open(path, 1, 10)
  const first = await table.view().load(['latent', 'density'])
  const second = await table.view().load(['words'])
  reads.length = 0
  expect(first.row(3, ['latent', 'density'])).toEqual({ latent: 3, density: all.density![3] })
  expect(second.row(3, ['words'])).toEqual({ words: all.words![3] })
  expect(reads).toEqual([])
  await table.view().load(['latent'])
  expect(reads.map(({ columns }) => columns)).toEqual([['latent']])
})

test('questions at the same time read a column once', async () => {
  const table = await Table.open(path, 1)
  reads.length = 0
  await Promise.all(Array.from({ length: 5 }, () => table.view().load(['latent', 'label'])))
  expect(reads).toHaveLength(1)
})

test('rows of an order are not those of another question', async () => {
  const table = await (await Table.open(path, 1)).load(['latent'])
  const few = select(table, { where: ['latent<3'] })
  select(table, { where: ['latent>3'] })
  expect([...few]).toEqual([0, 1, 2])
  expect([...select(table, { where: [], sort: '-latent' })].slice(0, 2)).toEqual([99, 98])
})
