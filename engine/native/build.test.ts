import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { removeOldAddons } from './build.ts'

let library: string
beforeEach(async () => {
  library = await mkdtemp(join(tmpdir(), 'addons-'))
})
afterEach(() => rm(library, { recursive: true }))

test('the latest used addons stay, and whatever is no addon', async () => {
  const name = (i: number) => `pipeline_ops-${String(i).padStart(16, '0')}.node`
  for (let i = 0; i < 12; i++) {
    await writeFile(join(library, name(i)), '')
    await utimes(join(library, name(i)), 1000 + i, 1000 + i)
  }
  await writeFile(join(library, 'libtensorflow.so'), '')
  await removeOldAddons(library, join(library, name(0)))
  const left = await readdir(library)
  expect(left.sort()).toEqual(['libtensorflow.so', ...[0, 5, 6, 7, 8, 9, 10, 11].map(name)])
})
