import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { UserError } from './errors.ts'
import { sha256 } from './hash.ts'
import { writeAside } from './write-aside.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aside-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('files written aside hold their pieces in order, many at once, and are known by their sha256', async () => {
  const shared = new Uint8Array(new SharedArrayBuffer(300_000)).map((_, i) => i * 7)
  const own = Uint8Array.from({ length: 100 }, (_, i) => i)
  // Parts of larger memory, an empty one, and one of more than one write.
  const pieces = [own.subarray(3, 9), shared.subarray(5), new Uint8Array(), own.subarray(90)]
  const whole = Buffer.concat(pieces)
  const paths = Array.from({ length: 3 }, (_, i) => join(folder, `file-${i}`))
  const written = await Promise.all(paths.map(path => writeAside(path, pieces)))
  for (const [i, path] of paths.entries()) {
    expect(whole.equals(await readFile(path))).toBe(true)
    expect(written[i]).toEqual({ bytes: whole.length, sha256: sha256(whole) })
  }
  expect([own.length, own[99]]).toEqual([100, 99])
  expect((await readdir(folder)).sort()).toEqual(['file-0', 'file-1', 'file-2'])
})

test('only memory of the pieces alone is moved to the other thread: not the pool of small Buffers, which newer Node refuses', async () => {
  const post = vi.spyOn(Worker.prototype, 'postMessage')
  await writeAside(join(folder, 'pooled'), [Buffer.from('small'), Buffer.from('and more').subarray(4)])
  const [message, moved] = post.mock.lastCall as unknown as [{ pieces: Uint8Array[] }, ArrayBuffer[]]
  expect(moved).toHaveLength(2)
  expect(message.pieces.map(({ buffer }) => buffer)).toEqual(moved)
  for (const memory of moved) expect(memory.byteLength).toBe(0)
  post.mockRestore()
  expect(await readFile(join(folder, 'pooled'), 'utf8')).toBe('smallmore')
  await rm(join(folder, 'pooled'))
})

test('a file that cannot be written is a fault in a sentence, leaves what was there, and nothing half-written', async () => {
  const inside = join(folder, 'file-0', 'x')
  await expect(writeAside(inside, [Buffer.from('x')])).rejects.toMatchObject({ code: 'ENOTDIR' })
  await expect(writeAside(folder, [Buffer.from('x')])).rejects.toThrow('is a folder, but a file is to be written there')
  await expect(writeAside('/proc/pipeline', [Buffer.from('x')])).rejects.toThrow()
  expect((await readdir(folder)).sort()).toEqual(['file-0', 'file-1', 'file-2'])
  expect((await readdir(join(folder, '..'))).filter(name => name.startsWith(`${folder}.`))).toEqual([])
  await expect(writeAside('/dev/full/x', [])).rejects.not.toBeInstanceOf(UserError)
})
