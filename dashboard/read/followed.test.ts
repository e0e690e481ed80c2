import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { FinishedRun } from '../../runs/run.ts'
import { FollowedMetrics } from './followed.ts'

let folder: string
let metrics: FollowedMetrics
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'followed-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))
beforeEach(() => {
  metrics = new FollowedMetrics()
})

const path = () => join(folder, 'metrics.jsonl')
const lines = (...steps: number[]) => steps.map(step => `${JSON.stringify({ step, more: 'x'.repeat(300) })}\n`).join('')
const steps = async () => {
  const run = { directory: folder, manifest: { id: 'run' } } as FinishedRun
  return (await metrics.records(run)).map(({ step }) => step)
}

test('of a file that grew only what is new is parsed, and half a line waits for its other half', async () => {
  writeFileSync(path(), lines(0, 1))
  expect(await steps()).toEqual([0, 1])
  appendFileSync(path(), `${lines(2)}{"step":`)
  const parse = vi.spyOn(JSON, 'parse')
  expect(await steps()).toEqual([0, 1, 2])
  expect(parse).toHaveBeenCalledTimes(1)
  parse.mockRestore()
  appendFileSync(path(), '3}\n')
  expect(await Promise.all([steps(), steps()])).toEqual([
    [0, 1, 2, 3],
    [0, 1, 2, 3],
  ])
})

test.each<[string, () => void]>([
  ['cut back and written on beyond where it was', () => writeFileSync(path(), lines(0, 7, 8, 9))],
  ['cut back', () => writeFileSync(path(), lines(7))],
  [
    'replaced by another of the same length',
    () => {
      writeFileSync(`${path()}.new`, lines(5, 6))
      renameSync(`${path()}.new`, path())
    },
  ],
])('a file that was %s is read anew', async (_, change) => {
  writeFileSync(path(), lines(0, 1))
  await steps()
  change()
  expect(await steps()).toEqual(
    await new FollowedMetrics()
      .records({ directory: folder, manifest: { id: 'run' } } as FinishedRun)
      .then(all => all.map(({ step }) => step)),
  )
  expect(await steps()).not.toContain(1)
})

test('a run without metrics has none, also after it had some', async () => {
  writeFileSync(path(), lines(0))
  expect(await steps()).toEqual([0])
  rmSync(path())
  expect(await steps()).toEqual([])
})
