import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { canonicalJson, hashPath, hashValue, sha256, sha256File } from './hash.ts'
import { sha256FileAside } from './hash-aside.ts'
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

test('files hash aside as they hash here, many at once, and one that cannot be read is a fault', async () => {
  const made = Array.from({ length: 4 }, (_, i) => join(folder, `aside-${i}`))
  // Of more than one piece, whose last is not whole.
  for (const [i, path] of made.entries()) await writeFile(path, Buffer.alloc((1 << 20) * i + 5, i))
  expect(await Promise.all(made.map(sha256FileAside))).toEqual(await Promise.all(made.map(sha256File)))
  await expect(sha256FileAside(join(folder, 'absent'))).rejects.toMatchObject({ code: 'ENOENT' })
  expect(await sha256FileAside(made[0]!)).toBe(sha256(Buffer.alloc(5)))
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
