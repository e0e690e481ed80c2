import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { buildOps, opsPath, removeOldAddons } from './build.ts'

let library: string
beforeEach(async () => {
  library = await mkdtemp(join(tmpdir(), 'addons-'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  return rm(library, { recursive: true })
})

test('the latest used addons stay, and whatever is no addon', async () => {
  const name = (i: number) => `pipeline_ops-${String(i).padStart(16, '0')}.node`
  for (let i = 0; i < 12; i++) {
    await writeFile(join(library, name(i)), '')
    await utimes(join(library, name(i)), 1000 + i, 1000 + i)
  }
  await writeFile(join(library, 'libtensorflow.so'), '')
  for (const left of ['.build', '.lock']) {
    await mkdir(join(library, `${name(20)}${left}`))
    await mkdir(join(library, `${name(21)}${left}`))
    await utimes(join(library, `${name(20)}${left}`), 1000, 1000)
  }
  await removeOldAddons(library, join(library, name(0)))
  const left = await readdir(library)
  const beingBuilt = [`${name(21)}.build`, `${name(21)}.lock`]
  expect(left.sort()).toEqual(['libtensorflow.so', ...[0, 5, 6, 7, 8, 9, 10, 11].map(name), ...beingBuilt])
})

test('of many that build at once one compiles, and what a killed build left is gone', async () => {
  const compiler = join(library, 'compiler')
  // Says what it was asked for, and makes the file behind -o.
  const script = `#!/bin/sh\necho "$*" >> '${library}/asked'\nwhile [ "$1" != -o ]; do shift; done\necho made > "$2"\n`
  await writeFile(compiler, script, { mode: 0o755 })
  vi.stubEnv('CXX', compiler)
  const lib = join(library, 'lib')
  await mkdir(join(`${opsPath(library)}.build`, 'left'), { recursive: true })
  const built = await Promise.all([buildOps(library), buildOps(library), buildOps(library)])
  expect(new Set(built)).toEqual(new Set([opsPath(library)]))
  const asked = (await readFile(join(library, 'asked'), 'utf8')).trim().split('\n')
  expect(new Set(asked).size).toBe(asked.length)
  expect(asked.filter(line => line.includes('ops.node'))).toHaveLength(1)
  expect(await readdir(lib)).toEqual([opsPath(library).split('/').at(-1)])
})
