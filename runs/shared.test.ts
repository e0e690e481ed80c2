/** Folders of two machines that share a place: what one finishes the other has, and nothing is done twice. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FaultError } from '../core/errors.ts'
import { memoryStore } from '../objects/memory.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import type { RunRequest } from './key.ts'
import { ancestry } from './lineage.ts'
import type { FinishedRun } from './run.ts'
import { contentHash } from './seal.ts'
import { RunStore } from './store.ts'

let folder: string
let place: ObjectStore
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-shared-'))
  place = memoryStore()
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const machine = (name: string, own: ObjectStore | null = place) =>
  new RunStore(join(folder, name), own ? async () => own : undefined)

const request = (stage: string, own: Partial<RunRequest> = {}): RunRequest => ({
  ...{ stage, config: {}, inputs: [], seed: 0, engine: {}, versions: {}, machine: {} },
  ...own,
})

async function make(store: RunStore, stage: string, own: Partial<RunRequest> = {}): Promise<FinishedRun> {
  const opened = await store.open(request(stage, own), () => new Date(0))
  if (opened.state === 'unchanged') return opened.run
  writeFileSync(join(opened.run.directory, 'made.txt'), stage)
  return opened.run.finish({})
}
const madeFrom = (run: FinishedRun) => ({
  inputs: [{ role: 'capture', run: run.manifest.id, path: run.directory, sha256: contentHash(run.manifest) }],
})

test('a run that one machine finished is found on the other by id and by key, with what it was made from', async () => {
  const capture = await make(machine('one'), 'capture', { name: 'words' })
  const train = await make(machine('one'), 'train', madeFrom(capture))
  const there = machine('two')
  const opened = await there.open(request('train', madeFrom(capture)), () => new Date(1))
  expect(opened.state).toBe('unchanged')
  const found = await there.finished(train.manifest.id, ['train'])
  expect(found.manifest).toEqual(train.manifest)
  expect(readFileSync(join(found.directory, 'made.txt'), 'utf8')).toBe('train')
  // The folder that the manifest names is the other machine's.
  rmSync(capture.directory, { recursive: true })
  const { inputs } = await ancestry(there, found)
  expect(inputs[0]!.from!.run.directory).toBe(join(folder, 'two/words'))
  expect((await machine('three').finishedWith(capture.manifest.key))!.manifest.id).toBe('words')
  await expect(machine('alone', null).find('words')).rejects.toThrow('There is no run words')
})

test('a name that belongs to another run there is refused before any work', async () => {
  await make(machine('one'), 'capture', { name: 'words' })
  const other = request('capture', { name: 'words', seed: 1 })
  await expect(machine('two').open(other, () => new Date(0))).rejects.toThrow('made from another config')
})

test('a run that could not be left there is finished here, and left there by the next start', async () => {
  let broken = true
  const flaky: ObjectStore = {
    ...place,
    async putIfAbsent(name, data) {
      if (broken && name.startsWith('runs/')) throw new FaultError('The place does not answer.')
      return place.putIfAbsent(name, data)
    },
  }
  const one = machine('one', flaky)
  await expect(make(one, 'capture')).rejects.toThrow('does not answer')
  expect((await one.list()).runs.map(({ manifest }) => manifest.status)).toEqual(['finished'])
  expect(await place.list('runs/')).toEqual([])
  broken = false
  const run = await make(one, 'capture')
  expect((await machine('two').finishedWith(run.manifest.key))!.manifest).toEqual(run.manifest)
})

test('what was made before there was a place is left there with what is made from it', async () => {
  const capture = await make(machine('one', null), 'capture')
  await make(machine('one'), 'train', madeFrom(capture))
  expect((await machine('two').find(capture.manifest.id)).manifest).toEqual(capture.manifest)
})

test('many that miss the same run at once have it once', async () => {
  const run = await make(machine('one'), 'capture')
  const found = await Promise.all(Array.from({ length: 5 }, () => machine('two').find(run.manifest.id)))
  for (const { manifest } of found) expect(manifest).toEqual(run.manifest)
  expect(readdirSync(join(folder, 'two'))).toEqual([run.manifest.id])
})

test('a key that leads to a run of another key is refused', async () => {
  const run = await make(machine('one'), 'capture')
  const key = 'f'.repeat(64)
  await place.putIfAbsent(`keys/${key}`, Buffer.from(run.manifest.id))
  await expect(machine('two').finishedWith(key)).rejects.toThrow('which it has not')
})
