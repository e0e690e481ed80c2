import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as arrow from 'apache-arrow'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeAtomic } from '../core/files.ts'
import { sha256File } from '../core/hash.ts'
import { arrowColumns, encodeArrow, writeTable } from '../datasets/tables.ts'
import { readEffects, writeEffects } from './effects-table.ts'
import { effectsSchema } from './evidence.ts'
import type { EffectRow } from './rows.ts'
import { columnsOf, measuredColumns } from './tables.ts'

const columns = { feature: 'int32', ...measuredColumns } as const

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'effects-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Rows of a latent: its own and its controls'. */
const rowsOf = (feature: number, controls: number) =>
  Array.from(
    { length: controls + 1 },
    (_, i): EffectRow => ({
      ...{ feature, intervention: 'steer', dose: 1.5 },
      ...{ control: i === 0 ? 'feature' : 'random', controlId: i === 0 ? null : i - 1 },
      ...{ document: `d${i % 7}`, window: `d${i % 7}#${i % 3}`, positions: 3, norm: 0.5, target: feature + i / 7 },
      ...(i % 5 === 0 ? { loss: -0.25, kl: 0 } : { loss: null, kl: null }),
    }),
  )

test('effects come back as they were written, latent by latent', async () => {
  const latents = [rowsOf(3, 10), rowsOf(900, 30), [], rowsOf(7, 0)]
  await writeEffects(folder, latents)
  const effects = await readEffects(folder)
  for (const [i, feature] of [3, 900, 0, 7].entries()) expect(effects.of(feature)).toEqual(latents[i])
  expect([...effects]).toEqual(latents.flat())
  const windows = new Set([...effects.places()].map(({ window }) => window))
  expect(windows.size).toBe(21)
})

test('the rows of a latent may lie in several row groups', async () => {
  const rows = [...rowsOf(3, 1), ...rowsOf(900, 6), ...rowsOf(7, 0)]
  const options = { schema: effectsSchema, rowGroupRows: 3 }
  await writeTable(join(folder, 'effects.parquet'), columnsOf(columns, rows), options)
  expect([...(await readEffects(folder))]).toEqual(rows)
})

test('equal effects give equal bytes, and no effects a table without rows', async () => {
  const hash = async (latents: EffectRow[][]) => {
    await writeEffects(folder, latents)
    return sha256File(join(folder, 'effects.parquet'))
  }
  expect(await hash([rowsOf(1, 3), rowsOf(2, 3)])).toBe(await hash([rowsOf(1, 3), rowsOf(2, 3)]))
  await hash([])
  expect([...(await readEffects(folder))]).toEqual([])
})

test('a table with a number that is none is refused, and its column named', async () => {
  const rows = rowsOf(3, 2)
  const { fields, data } = arrowColumns(columnsOf(columns, rows))
  const write = (kl: arrow.Data) => {
    const withKl = data.map((column, i) => (fields[i]!.name === 'kl' ? kl : column))
    return writeAtomic(
      join(folder, 'effects.parquet'),
      encodeArrow(fields, withKl, rows.length, { schema: effectsSchema }),
    )
  }
  await write(data.at(-1)!)
  expect([...(await readEffects(folder))]).toEqual(rows)
  await write(arrow.makeData({ type: new arrow.Float64(), data: Float64Array.of(0, Number.NaN, 1) }))
  await expect(readEffects(folder)).rejects.toThrow(/effects.parquet holds NaN in kl; a missing value is null/)
})
