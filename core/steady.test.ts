import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { footprintOf, mustBeSteady, steadily } from './steady.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'steady-'))
  mkdirSync(join(folder, 'sub'))
  writeFileSync(join(folder, 'one'), '1')
  writeFileSync(join(folder, 'sub', 'two'), '2')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('a footprint is of all files below, and says so where there is none', async () => {
  const none = join(folder, 'none')
  const footprint = await footprintOf([folder, none])
  expect([...footprint.keys()]).toEqual([join(folder, 'one'), join(folder, 'sub', 'two'), none])
  expect(footprint.get(none)).toBe('absent')
})

test('what reads while nothing changes gives its value', async () => {
  expect(await steadily([folder], async () => 7)).toBe(7)
})

test.each<[string, () => void]>([
  ['written to', () => appendFileSync(join(folder, 'one'), '1')],
  [
    'written to and given its old time',
    () => {
      appendFileSync(join(folder, 'sub', 'two'), '2')
      utimesSync(join(folder, 'sub', 'two'), new Date(0), new Date(0))
    },
  ],
  [
    'replaced',
    () => {
      writeFileSync(join(folder, 'new'), '1')
      renameSync(join(folder, 'new'), join(folder, 'one'))
    },
  ],
  ['removed', () => rmSync(join(folder, 'one'))],
  ['added', () => writeFileSync(join(folder, 'sub', 'more'), '')],
])('a file that is %s meanwhile is named', async (_, change) => {
  await expect(steadily([folder], async () => change())).rejects.toMatchObject({
    exitCode: 1,
    message: expect.stringMatching(/(one|two|more) was changed while it was read\.$/),
  })
})

test('what is wrong with the reading itself comes first', async () => {
  const reading = steadily([folder], async () => {
    rmSync(join(folder, 'one'))
    throw new Error('broken')
  })
  await expect(reading).rejects.toThrow('broken')
})

test('a file that was absent and is there now has changed', async () => {
  const path = join(folder, 'later')
  const before = await footprintOf([path])
  await mustBeSteady([path], before)
  writeFileSync(path, '')
  await expect(mustBeSteady([path], before)).rejects.toThrow('later was changed')
})
