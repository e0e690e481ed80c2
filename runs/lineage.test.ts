import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hashPath } from '../core/hash.ts'
import { ancestry, descendants, diffRuns, inherited, verifyRun } from './lineage.ts'
import type { OpenRun } from './open-run.ts'
import type { FinishedRun } from './run.ts'
import { contentHash } from './seal.ts'
import { RunStore } from './store.ts'

let folder: string
let store: RunStore
let capture: FinishedRun
let train: FinishedRun

/** A model file, a capture made from it, and an SAE trained on the capture. */
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-lineage-'))
  store = new RunStore(join(folder, 'runs'))
  const model = join(folder, 'model.bin')
  writeFileSync(model, 'weights')
  capture = await make('capture', 'shard', { model: 'model.bin' }, [
    { role: 'model', path: model, sha256: await hashPath(model) },
  ])
  train = await make('train', 'sae', { capture: 'capture', k: 32 }, [
    { role: 'capture', run: 'capture', path: capture.directory, sha256: contentHash(capture.manifest) },
  ])
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function make(name: string, content: string, config: object, inputs: object[]): Promise<FinishedRun> {
  const common = { seed: 0, engine: { name: 'wasm' }, versions: {}, machine: {}, name, stage: name }
  const opened = await store.open({ ...common, config, inputs } as never, () => new Date(0))
  writeFileSync(join(opened.run.directory, 'file'), content)
  return (opened.run as OpenRun).finish({})
}

test('ancestry goes back to the files', async () => {
  const tree = await ancestry(store, train)
  expect(tree.inputs[0]!.from!.run.manifest.id).toBe('capture')
  expect(tree.inputs[0]!.from!.inputs[0]).toMatchObject({ input: { role: 'model' }, from: undefined })
})

test('an SAE inherits the model of its capture', async () => {
  expect(await inherited(store, train, 'model')).toMatchObject({
    input: { role: 'model', path: join(folder, 'model.bin') },
    config: 'model.bin',
  })
  expect(await inherited(store, train, 'tokenizer')).toBeUndefined()
})

test('descendants are the runs made from one', async () => {
  expect((await descendants(store, 'capture')).map(run => run.manifest.id)).toEqual(['train'])
})

describe('verify', () => {
  test('finds nothing wrong with whole runs', async () => expect(await verifyRun(store, train)).toEqual([]))

  test('finds a changed file of a run it was made from', async () => {
    writeFileSync(join(capture.directory, 'file'), 'Shard')
    expect(await verifyRun(store, train)).toEqual([{ run: 'capture', what: 'file', problem: 'changed' }])
  })

  test('finds missing and added files', async () => {
    rmSync(join(train.directory, 'file'))
    writeFileSync(join(train.directory, 'more'), '')
    expect(await verifyRun(store, train)).toEqual([
      { run: 'train', what: 'file', problem: 'missing' },
      { run: 'train', what: 'more', problem: 'not in the manifest' },
    ])
  })

  test('finds a changed or missing file from outside the store', async () => {
    writeFileSync(join(folder, 'model.bin'), 'other weights')
    expect(await verifyRun(store, capture)).toMatchObject([{ run: 'capture', problem: 'changed' }])
    rmSync(join(folder, 'model.bin'))
    expect(await verifyRun(store, capture)).toMatchObject([{ run: 'capture', problem: 'missing' }])
  })

  test('finds an input run that was made again with other bytes', async () => {
    rmSync(capture.directory, { recursive: true })
    await make('capture', 'other shard', { model: 'model.bin' }, capture.manifest.inputs)
    expect(await verifyRun(store, train)).toEqual([{ run: 'train', what: 'capture capture', problem: 'changed' }])
    await expect(inherited(store, train, 'model')).rejects.toThrow(
      'The run capture has changed since train was made from it.',
    )
  })
})

test('lineage of a run that is its own input, or an input of its input, ends', async () => {
  const edit = (run: FinishedRun, input: string) => {
    const path = join(run.directory, 'run.json')
    const inputs = [{ role: 'capture', run: input, sha256: '0' }]
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), inputs }))
  }
  edit(train, 'train')
  expect((await ancestry(store, await store.find('train'))).inputs).toMatchObject([{ circle: true, from: undefined }])
  edit(train, 'capture')
  edit(capture, 'train')
  const tree = await ancestry(store, await store.find('train'))
  expect(tree.inputs[0]!.from!.inputs).toMatchObject([{ circle: true, from: undefined }])
  await expect(inherited(store, await store.find('train'), 'model')).rejects.toThrow('is damaged')
})

test('diff names every key in which two runs differ, and no other', async () => {
  const other = await make('train2', 'sae 2', { capture: 'capture', k: 16 }, train.manifest.inputs)
  const differences = diffRuns(train.manifest, { ...other.manifest, stage: 'train' })
  expect(differences.map(({ key }) => key)).toEqual(['config.k', 'files.file'])
  expect(differences[0]).toEqual({ key: 'config.k', a: 32, b: 16 })
})
