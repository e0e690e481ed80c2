/** A run in an object store is whole or not there, and what is fetched is what was published. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { NotThereError } from '../core/errors.ts'
import { sha256 } from '../core/hash.ts'
import { memoryStore } from '../objects/memory.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import { fetchRun, publishedRuns, publishRun } from './publish.ts'
import { RunStore } from './store.ts'

let folder: string
let store: ObjectStore
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-publish-'))
  store = memoryStore()
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function made(runs: string, rows = 1) {
  const found = new RunStore(join(folder, runs))
  const request = { stage: 'capture', name: 'run1', config: { rows }, inputs: [], seed: 0 }
  const opened = await found.open({ ...request, engine: {}, versions: {}, machine: {} }, () => new Date(0))
  if (opened.state === 'unchanged') return opened.run
  writeFileSync(join(opened.run.directory, 'rows.bin'), `${rows} rows`)
  return opened.run.finish({ rows })
}
const here = () => new RunStore(join(folder, 'here'))

test('a run that is fetched is the one that was published, and neither is done twice', async () => {
  const run = await made('there')
  expect(await publishRun(store, run)).toBe('published')
  expect(await publishRun(store, run)).toBe('there')
  expect(await publishedRuns(store)).toEqual(['run1'])
  const { state, run: fetched } = await fetchRun(store, 'run1', here().directory)
  expect(state).toBe('fetched')
  expect(fetched.manifest).toEqual(run.manifest)
  expect(readFileSync(join(fetched.directory, 'rows.bin'), 'utf8')).toBe('1 rows')
  expect((await fetchRun(store, 'run1', here().directory)).state).toBe('there')
  expect((await here().finished('run1', ['capture'])).manifest.id).toBe('run1')
})

test('a run of the same id and other bytes is refused, there and here', async () => {
  await publishRun(store, await made('there'))
  await expect(publishRun(store, await made('other', 2))).rejects.toThrow('has another run of the id run1')
  await expect(fetchRun(store, 'run1', join(folder, 'other'))).rejects.toThrow('Another run run1 is in')
})

test('a file that is damaged on either side is refused, and nothing of the run is kept', async () => {
  const run = await made('there')
  await publishRun(store, run)
  await store.remove(`objects/${sha256('1 rows')}`)
  await expect(fetchRun(store, 'run1', here().directory)).rejects.toThrow(
    'The file rows.bin of the run is not in memory',
  )
  await store.putIfAbsent(`objects/${sha256('1 rows')}`, Buffer.from('2 rows'))
  await expect(fetchRun(store, 'run1', here().directory)).rejects.toThrow('is damaged')
  expect(existsSync(here().directory) ? readdirSync(here().directory) : []).toEqual([])
  writeFileSync(join(run.directory, 'rows.bin'), 'changed')
  await expect(publishRun(memoryStore(), run)).rejects.toThrow('is not what its manifest says')
})

test('files without a manifest are no run, and a manifest that was changed is refused', async () => {
  await store.putIfAbsent(`objects/${sha256('1 rows')}`, Buffer.from('1 rows'))
  await expect(fetchRun(store, 'run1', here().directory)).rejects.toThrow(NotThereError)
  const { manifest } = await made('there')
  await store.putIfAbsent('runs/run1/run.json', Buffer.from(JSON.stringify({ ...manifest, summary: { rows: 5 } })))
  await expect(fetchRun(store, 'run1', here().directory)).rejects.toThrow('The run run1 in memory is damaged')
})
