import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as arrow from 'apache-arrow'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { plainValue, writeTable } from '../../datasets/tables.ts'
import { parseCsv } from '../../labels/formats/csv.ts'
import { type RowsFormat, rowsFile } from './rows-file.ts'
import { Table } from './table.ts'

const rows = 2500
const names = ['latent', 'label', 'density', 'tokens']
/** Texts that CSV, JSON lines and spreadsheets could take for something else. */
const hostile = ['a,"b"\r\nc', '=1+1', '', '\u202eabc', null]
let folder: string
let table: Table

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rows-'))
  const path = join(folder, 'features.parquet')
  const all = Array.from({ length: rows }, (_, i) => i)
  await writeTable(path, {
    latent: { type: 'int32', values: all },
    label: { type: 'string', values: all.map(i => hostile[i % hostile.length]!) },
    // The first pieces miss no value, the last one does.
    density: { type: 'float64', values: all.map(i => (i > 2400 ? null : i / 7)) },
    tokens: { type: 'list<string>', values: all.map(i => (i % 2 ? ['x', `y\n${i}`] : [])) },
  })
  table = await (await Table.open(path, 1)).load(names)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const wholeOf = async (chosen: Int32Array, format: RowsFormat) => {
  const parts: Uint8Array[] = []
  for await (const part of rowsFile(table, chosen, names, format)) parts.push(part)
  return { bytes: Buffer.concat(parts), parts: parts.length }
}
/** Every other row, backwards: not the order of the table. */
const chosen = Int32Array.from({ length: rows / 2 }, (_, i) => rows - 1 - 2 * i)
const wanted = () => Array.from(chosen, row => table.row(row, names))
const none = new Int32Array(0)

test('JSON lines hold the rows asked for, in their order, a piece at a time', async () => {
  const { bytes, parts } = await wholeOf(chosen, 'jsonl')
  const lines = bytes.toString().trimEnd().split('\n')
  expect(lines.map(line => JSON.parse(line))).toEqual(wanted())
  expect(parts).toBe(2)
  expect((await wholeOf(none, 'jsonl')).bytes.length).toBe(0)
})

test('an Arrow stream is one whole table with the types of the file, whichever piece misses values', async () => {
  const found = arrow.tableFromIPC((await wholeOf(chosen, 'arrow')).bytes)
  expect(found.batches.length).toBe(2)
  expect(found.schema.fields.map(({ name, type }) => `${name} ${type}`)).toEqual(
    names.map(name => `${name} ${table.typeOf(name)}`),
  )
  expect(Array.from(found, row => Object.fromEntries(names.map(name => [name, plainValue(row![name])])))).toEqual(
    wanted(),
  )
  const empty = arrow.tableFromIPC((await wholeOf(none, 'arrow')).bytes)
  expect([empty.numRows, empty.schema.names]).toEqual([0, names])
})

test('CSV has a line a row, keeps hostile texts in their cells, and leaves what is missing empty', async () => {
  const text = (await wholeOf(chosen, 'csv')).bytes.toString()
  const [header, ...cells] = parseCsv(text, 'features.csv')
  expect(header).toEqual(names)
  expect(cells.map(([latent]) => Number(latent))).toEqual(wanted().map(row => row.latent))
  const byLatent = new Map(cells.map(row => [Number(row[0]), row]))
  expect(byLatent.get(2495)).toEqual(['2495', 'a,"b"\\r\\nc', '', '["x","y\\n2495"]'])
  expect(byLatent.get(2391)?.slice(1, 3)).toEqual(["'=1+1", String(2391 / 7)])
  expect(byLatent.get(2493)?.[1]).toBe('\\u202eabc')
  expect((await wholeOf(none, 'csv')).bytes.toString()).toBe('latent,label,density,tokens\r\n')
})
