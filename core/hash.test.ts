import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { canonicalJson, hashPath, hashValue, sha256 } from './hash.ts'
import { footprintOf } from './steady.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hash-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('sha256 is the published one of its known answers', async () => {
  expect(sha256('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  expect(sha256(new Uint8Array())).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
})

test('a value hashes alike whatever the order of its keys, and without those that are undefined', () => {
  expect(canonicalJson({ b: [2, { d: 1, c: 0 }], a: undefined })).toBe('{"b":[2,{"c":0,"d":1}]}')
  expect(hashValue({ a: 1, b: 2 })).toBe(hashValue({ b: 2, a: 1, c: undefined }))
})

test('a folder hashes as the sorted list of its files, links followed', async () => {
  const path = join(folder, 'links')
  await mkdir(join(path, 'sub'), { recursive: true })
  await mkdir(join(folder, 'other'))
  await writeFile(join(folder, 'other/x'), 'abc')
  await symlink('../other', join(path, 'linked'))
  await symlink('..', join(path, 'sub/back'))
  await symlink('pruned', join(path, 'gone'))
  const lines = ['gone -> pruned', `linked/x ${sha256('abc')}`]
  expect(await hashPath(path)).toBe(sha256(lines.join('\n')))
  expect([...(await footprintOf([path])).keys()]).toEqual([join(path, 'gone'), join(path, 'linked/x')])
})
