import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { writeTable } from '../../datasets/tables.ts'
import { labelsSchema } from '../../labels/feature.ts'
import { writeExamples } from '../report/made-up.fixture.ts'
import { readExamples } from './examples.ts'

const reads = vi.hoisted(() => [] as { columns?: readonly string[]; rowGroups?: readonly number[] }[])
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

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'examples-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('only the row groups that hold a latent asked for are read', async () => {
  const examples = Array.from({ length: 100 }, (_, i) => ({ latent: Math.floor(i / 4), tokens: [`t${i}`] }))
  await writeExamples(folder, examples, 10)
  const found = await readExamples(folder, new Set([2, 24]))
  expect([...found].map(([latent, list]) => [latent, list.map(({ tokens }) => tokens[0])])).toEqual([
    [2, ['t8', 't9', 't10', 't11']],
    [24, ['t96', 't97', 't98', 't99']],
  ])
  // Rows 8 to 11 lie in groups 0 and 1, rows 96 to 99 in group 9.
  expect(reads.filter(({ columns }) => columns!.length > 1).map(({ rowGroups }) => rowGroups)).toEqual([[0], [1], [9]])
})

test('a table with rows that are no examples is refused in a sentence', async () => {
  const int = { type: 'int32', values: [1] } as const
  const columns = { latent: int, position: int, start: int, activation: { type: 'float32', values: [1] } } as const
  const lists = {
    tokens: { type: 'list<string>', values: [null] },
    activations: { type: 'list<float32>', values: [[1]] },
  } as const
  const text = { type: 'string', values: ['x'] } as const
  await writeTable(
    join(folder, 'examples.parquet'),
    { ...columns, ...lists, group: text, window: text },
    { schema: labelsSchema },
  )
  await expect(readExamples(folder, new Set([1]))).rejects.toThrow(/examples\.parquet is wrong at row 0, tokens/)
})
