/** What every object store does. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NotThereError, UserError } from '../core/errors.ts'
import type { ObjectStore } from './object-store.ts'
import { probeStore } from './probe.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const textOf = (data: Uint8Array) => Buffer.from(data).toString()

/** Runs the contract on stores that `make` gives, each of which is empty. */
export function describeObjectStore(name: string, make: () => Promise<ObjectStore>): void {
  describe(`${name} as a store of objects`, () => {
    let store: ObjectStore
    let folder: string
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'pipeline-objects-'))
      store = await make()
    })
    afterAll(() => rmSync(folder, { recursive: true, force: true }))

    test('an object is made once, and read back whole and by ranges', async () => {
      expect(await store.putIfAbsent('a/one', bytes('first of all'))).toBe(true)
      expect(await store.putIfAbsent('a/one', bytes('other'))).toBe(false)
      expect(textOf(await store.read('a/one'))).toBe('first of all')
      expect(textOf(await store.read('a/one', { start: 6, end: 8 }))).toBe('of')
      expect(textOf(await store.read('a/one', { start: 9, end: 900 }))).toBe('all')
      expect(textOf(await store.read('a/one', { start: 3, end: 3 }))).toBe('')
      expect(await store.head('a/one')).toEqual({ bytes: 12 })
    })

    test('an object of no bytes is an object', async () => {
      expect(await store.putIfAbsent('a/empty', bytes(''))).toBe(true)
      expect(await store.head('a/empty')).toEqual({ bytes: 0 })
      expect(await store.read('a/empty')).toEqual(new Uint8Array())
    })

    test('what is not there is absent, and reading it says so', async () => {
      expect(await store.head('a/none')).toBeUndefined()
      await expect(store.read('a/none')).rejects.toThrow(NotThereError)
      await store.remove('a/none')
    })

    test('a list has the names that begin so, in order, over as many pages as it takes', async () => {
      for (const i of [3, 1, 4, 2, 0]) await store.putIfAbsent(`list/part-${i}`, bytes(String(i)))
      await store.putIfAbsent('list/other', bytes(''))
      await store.putIfAbsent('listing', bytes(''))
      expect(await store.list('list/part-')).toEqual([0, 1, 2, 3, 4].map(i => `list/part-${i}`))
      expect(await store.list('list/')).toContain('list/other')
      expect(await store.list('list/')).not.toContain('listing')
      expect(await store.list('nowhere/')).toEqual([])
    })

    test('a file is taken as it is, and may be removed then', async () => {
      const path = join(folder, 'file')
      writeFileSync(path, 'from a file')
      expect(await store.putIfAbsent('a/file', { file: path })).toBe(true)
      expect(await store.putIfAbsent('a/file', { file: path })).toBe(false)
      rmSync(path)
      expect(textOf(await store.read('a/file'))).toBe('from a file')
    })

    test('of twenty writers of one name exactly one succeeds, and its bytes are kept', async () => {
      const made = await Promise.all(
        Array.from({ length: 20 }, (_, i) => store.putIfAbsent('a/race', bytes(`writer ${i}`))),
      )
      expect(made.filter(one => one)).toHaveLength(1)
      expect(textOf(await store.read('a/race'))).toBe(`writer ${made.indexOf(true)}`)
    })

    test('what was removed can be made anew', async () => {
      await store.putIfAbsent('a/again', bytes('1'))
      await store.remove('a/again')
      expect(await store.head('a/again')).toBeUndefined()
      expect(await store.putIfAbsent('a/again', bytes('2'))).toBe(true)
    })

    test.each(['', '../a', 'a//b', '/a', 'a/.hidden', 'a b', 'ä'])('refuses the name %j', async wrong => {
      await expect(store.putIfAbsent(wrong, bytes(''))).rejects.toThrow(UserError)
      await expect(store.read(wrong)).rejects.toThrow(UserError)
    })

    test('the probe finds all of it, and leaves nothing behind', async () => {
      expect(await probeStore(store)).toEqual({ place: store.place, exclusive: true, listed: true, ranges: true })
      expect(await store.list('probe/')).toEqual([])
    })
  })
}
