import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readTable, readTableInfo } from '../../datasets/tables.ts'
import type { Comparison } from './compare.ts'
import { readStability, writeStability } from './stability.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stability-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const comparison: Comparison = {
  mcc: 0.6,
  mccBound: 0.65,
  shared: 1 / 3,
  threshold: 0.7,
  null: [],
  p: 1,
  zeroRows: [0, 0],
  exact: false,
  match: Int32Array.of(1, -1, 0),
  stability: Float32Array.of(0.875, 0, 0.25),
}

test('a table has a row a latent: its partner, their cosine, and whether that is shared; nulls without a partner', async () => {
  const path = join(folder, 'table.parquet')
  await writeStability(path, comparison, { a: 'first', b: 'second' })
  expect(await readTable(path, { schema: 2 })).toEqual({
    latent: [0, 1, 2],
    match: [1, null, 0],
    cosine: [0.875, null, 0.25],
    shared: [true, false, false],
  })
  expect((await readTableInfo(path)).metadata).toMatchObject({ a: 'first', mccBound: '0.65', matching: 'bounded' })
  expect(await readStability(path, { hash: 'first', latents: 3 })).toEqual([0.875, null, 0.25])
})

test.each([
  ['with other bytes', { hash: 'second', latents: 3 }],
  ['of another size', { hash: 'first', latents: 4 }],
])('it is not joined to an SAE %s', async (_, sae) => {
  const path = join(folder, 'other.parquet')
  await writeStability(path, comparison, { a: 'first', b: 'second' })
  await expect(readStability(path, sae)).rejects.toThrow(
    /is about another SAE \(first with 3 latents\) than the one given \((second with 3|first with 4) latents\)/,
  )
})
