/** Parts are there as a whole or not at all, the same whoever did them, and held to their hashes when they are taken. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sha256 } from '../core/hash.ts'
import { folderStore } from './fs.ts'
import { memoryStore } from './memory.ts'
import { Parts } from './parts.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-parts-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** A directory with the files of a part. */
function made(name: string, files: Readonly<Record<string, string>>): string {
  const directory = join(folder, name)
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(directory, file, '..'), { recursive: true })
    writeFileSync(join(directory, file), text)
  }
  return directory
}

const kinds = { memory: () => memoryStore(), folder: () => folderStore(join(folder, 'store')) }

describe.each(Object.entries(kinds))('parts in a %s', (_, storeOf) => {
  let parts: Parts
  beforeEach(async () => {
    parts = new Parts(storeOf(), 'key')
    await parts.divide(['one', 'two'], '1.0.0')
  })

  test('a part is put back with all its files, folders and all', async () => {
    await parts.publish('one', made('a', { 'x.bin': 'x', 'working/y.json': '{}' }), 'cpu')
    expect(await parts.done()).toEqual(new Set(['one']))
    await parts.gather('one', join(folder, 'run'))
    expect(readFileSync(join(folder, 'run/x.bin'), 'utf8')).toBe('x')
    expect(readFileSync(join(folder, 'run/working/y.json'), 'utf8')).toBe('{}')
  })

  test('a part that was done twice is one part, and one that came out differently is refused by name', async () => {
    await parts.publish('one', made('a', { 'x.bin': 'x' }), 'cpu')
    await parts.publish('one', made('b', { 'x.bin': 'x' }), 'cpu')
    const other = parts.publish('one', made('c', { 'x.bin': 'other' }), 'cpu')
    await expect(other).rejects.toThrow('one was done twice and came out differently (x.bin)')
    const more = parts.publish('one', made('d', { 'x.bin': 'x', 'z.bin': '' }), 'cpu')
    await expect(more).rejects.toThrow('came out differently (z.bin)')
  })

  test('another kind of processor may come out differently, and the first one stays', async () => {
    await parts.publish('one', made('a', { 'x.bin': 'x' }), 'cpu')
    await parts.publish('one', made('b', { 'x.bin': 'other' }), 'gpu')
    expect((await parts.gather('one', join(folder, 'run'))).computedOn).toBe('cpu')
    expect(readFileSync(join(folder, 'run/x.bin'), 'utf8')).toBe('x')
  })

  test('a part whose object is damaged or gone is refused and removed, to be done again', async () => {
    const name = `key/objects/${sha256('x')}`
    await parts.publish('one', made('a', { 'x.bin': 'x' }), 'cpu')
    await parts.store.remove(name)
    await parts.store.putIfAbsent(name, Buffer.from('y'))
    await expect(parts.gather('one', join(folder, 'run'))).rejects.toThrow('The part one')
    expect(await parts.done()).toEqual(new Set())
    await parts.publish('one', made('b', { 'x.bin': 'x' }), 'cpu')
    await parts.store.remove(name)
    await expect(parts.gather('one', join(folder, 'run'))).rejects.toThrow('was damaged')
    expect(await parts.done()).toEqual(new Set())
  })

  test('files that were put there before their record do not make a part', async () => {
    await parts.store.putIfAbsent(`key/objects/${sha256('x')}`, Buffer.from('x'))
    expect(await parts.done()).toEqual(new Set())
    expect(await parts.record('one')).toBeUndefined()
  })

  test('work is divided once; another division of the same work is refused', async () => {
    expect(await new Parts(parts.store, 'other').units()).toBeUndefined()
    await parts.divide(['one', 'two'], '1.0.0')
    await expect(parts.divide(['one'], '1.0.0')).rejects.toThrow('was divided into other units')
    const other = 'was divided by version 1.0.0, and this is 1.1.0'
    await expect(parts.divide(['one', 'two'], '1.1.0')).rejects.toThrow(other)
    await expect(parts.mustBeOf('1.1.0')).rejects.toThrow(other)
    expect(await parts.units()).toEqual(['one', 'two'])
  })

  test('clearing leaves nothing of this work and all of other work', async () => {
    const other = new Parts(parts.store, 'other')
    await other.divide(['one'], '1.0.0')
    for (const one of [parts, other]) {
      await one.publish('one', made('a', { 'x.bin': 'x' }), 'cpu')
    }
    await parts.clear()
    expect(await parts.store.list('key/')).toEqual([])
    expect(await other.done()).toEqual(new Set(['one']))
  })

  test('a part that is done after its work was closed is not left, and one that is done as it is closed neither', async () => {
    await parts.clear()
    expect(await parts.publish('one', made('a', { 'x.bin': 'x' }), 'cpu')).toBe(false)
    expect(await parts.store.list('key/')).toEqual([])
    // At any request of whoever closes it.
    for (let when = 0, over = false; !over; when++) {
      await parts.divide(['one', 'two'], '1.0.0')
      await parts.publish('one', made('a', { 'x.bin': 'x' }), 'cpu')
      let requests = 0
      const late = async () => {
        if (requests++ === when) await parts.publish('two', made('b', { 'y.bin': 'y' }), 'cpu')
      }
      const { store } = parts
      const closing = new Parts(
        {
          ...store,
          list: prefix => late().then(() => store.list(prefix)),
          remove: name => late().then(() => store.remove(name)),
        },
        'key',
      )
      await closing.clear()
      over = requests <= when
      if (!over) expect({ when, left: await store.list('key/') }).toEqual({ when, left: [] })
    }
  })

  test('work that is divided again as a late part of it is taken back keeps its list, and names no file that is gone', async () => {
    const files = { 'x.bin': 'x', 'y.bin': 'y' }
    // At any request of whoever is late.
    for (let when = 0, over = false; !over; when++) {
      await parts.clear()
      let requests = 0
      const { store } = parts
      const again = async () => {
        if (requests++ !== when) return
        await parts.clear()
        await parts.divide(['one', 'two'], '1.0.0')
        await parts.publish('one', made('b', files), 'cpu')
        await parts.publish('two', made('c', { 'z.bin': 'y' }), 'cpu')
      }
      const late = new Parts(
        {
          ...store,
          head: name => again().then(() => store.head(name)),
          read: (name, range) => again().then(() => store.read(name, range)),
          list: prefix => again().then(() => store.list(prefix)),
          putIfAbsent: (name, data) => again().then(() => store.putIfAbsent(name, data)),
          remove: name => again().then(() => store.remove(name)),
        },
        'key',
      )
      await late.publish('one', made('a', files), 'cpu')
      over = requests <= when
      if (over) break
      expect({ when, units: await parts.units() }).toEqual({ when, units: ['one', 'two'] })
      expect(await parts.done()).toContain('two')
      for (const unit of await parts.done()) await parts.gather(unit, join(folder, 'run'))
    }
  })

  test('a record that names a file outside the directory is refused', async () => {
    const record = {
      schema: 1,
      unit: 'one',
      computedOn: 'cpu',
      files: [{ name: '../x', sha256: sha256('x'), bytes: 1 }],
    }
    await parts.store.putIfAbsent('key/units/one.json', Buffer.from(JSON.stringify(record)))
    await expect(parts.gather('one', join(folder, 'run'))).rejects.toThrow('files.0.name')
  })
})
