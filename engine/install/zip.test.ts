import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { archiveOf } from './wheel.fixture.ts'
import { extract, readZip } from './zip.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zip-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function archive(content: Uint8Array): Promise<string> {
  const path = join(folder, 'a.whl')
  await writeFile(path, content)
  return path
}

describe('an archive', () => {
  test('gives back its files, stored and deflated, empty ones too', async () => {
    const files = { 'a.txt': 'hello', 'b/c.txt': 'x'.repeat(10_000), 'd/empty': '', 'd/packed-empty': '' }
    const path = await archive(archiveOf(files))
    const entries = readZip(path)
    expect(entries.map(({ name, size }) => [name, size])).toEqual(Object.entries(files).map(([k, v]) => [k, v.length]))
    for (const entry of entries) {
      const target = join(folder, 'out', entry.name)
      await extract(path, entry, target)
      expect(await readFile(target, 'utf8')).toBe(files[entry.name as keyof typeof files])
    }
  })

  test('gives back any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }), async (a, b) => {
        const path = await archive(archiveOf({ a, b }))
        const [, second] = readZip(path)
        await extract(path, second!, join(folder, 'b'))
        expect(new Uint8Array(await readFile(join(folder, 'b')))).toEqual(b)
      }),
      { numRuns: 20, seed: 1 },
    )
  })

  test('reports the bytes that it writes', async () => {
    const path = await archive(archiveOf({ a: 'abc' }))
    let bytes = 0
    await extract(path, readZip(path)[0]!, join(folder, 'a'), count => {
      bytes += count
    })
    expect(bytes).toBe(3)
  })
})

describe('a broken archive is refused', () => {
  const whole = archiveOf({ 'a.txt': 'x'.repeat(5000), 'b.txt': 'y'.repeat(5000) })

  test.each([
    ['when it is empty', Buffer.alloc(0), 'directory is missing'],
    ['when it is something else', Buffer.from('<html>not found</html>'), 'directory is missing'],
    ['when its end is cut off', whole.subarray(0, whole.length - 30), 'directory is missing'],
    ['when its start is cut off', whole.subarray(4000), 'cut short'],
  ])('%s', async (_, content, reason) => {
    const path = await archive(content)
    expect(() => readZip(path)).toThrow(reason)
  })

  test('when a packed file is damaged, and leaves nothing behind', async () => {
    const damaged = Buffer.from(whole)
    const at = damaged.indexOf('b.txt') + 5
    damaged.fill(0xff, at, at + 10)
    const path = await archive(damaged)
    const entry = readZip(path).find(({ name }) => name === 'b.txt')!
    await expect(extract(path, entry, join(folder, 'out', 'b.txt'))).rejects.toThrow()
    expect(await readdir(join(folder, 'out'))).toEqual([])
  })
})
