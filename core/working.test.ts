import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Working, workingFolder } from './working.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'working-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('a part is made once, is as JSON gives it back, and is on disk once all is settled, within others too', async () => {
  const directory = join(folder, 'once')
  const working = new Working(directory)
  let made = 0
  const make = () => ({ number: ++made, absent: undefined })
  expect(await working.part('one', make)).toEqual({ number: 1 })
  // Asked for while it is still being written, it is not made again.
  expect(await working.part('one', make)).toEqual({ number: 1 })
  expect(await working.within('inner').part('one', make)).toEqual({ number: 2 })
  await working.settled()
  expect((await readdir(join(directory, workingFolder), { recursive: true })).sort()).toEqual([
    'inner',
    'inner/one.json',
    'one.json',
  ])
  expect(await new Working(directory).part('one', make)).toEqual({ number: 1 })
  await working.clear()
  expect(await readdir(directory)).toEqual([])
})

test('a part that cannot be written is told of by the next one, and by whoever waits for all', async () => {
  const directory = join(folder, 'full')
  await writeFile(directory, 'a file where the folder should be')
  const working = new Working(directory)
  expect(await working.part('one', () => 1)).toBe(1)
  await expect(working.part('two', () => 2)).rejects.toThrow('full')
  await expect(working.settled()).rejects.toThrow('full')
})
