/** How inputs are found by name, and hashed by content. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { UserError } from '../../core/errors.ts'
import { silent } from '../../core/progress.ts'
import { DatasetConfig } from '../../datasets/config.ts'
import { startEngine } from '../../engine/engine.ts'
import { tf } from '../../engine/tf.ts'
import { RunStore } from '../../runs/store.ts'
import { nameOf } from './found.ts'
import { findDataset, findFile, findModel, findRun, findSae, hashing, hashOfInput, loadModelAndText } from './inputs.ts'
import { made, session } from './store.fixture.ts'

let folder: string
let store: RunStore
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-inputs-'))
  store = new RunStore(join(folder, 'runs'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** A folder with this one file. */
function directory(name: string, file: string, text: string): string {
  const path = join(folder, name)
  mkdirSync(path)
  writeFileSync(join(path, file), text)
  return path
}

describe('a model', () => {
  test('is a directory with a config, hashed by what is in it', async () => {
    const a = await findModel(directory('a', 'config.json', '{}'))
    const same = await findModel(directory('b', 'config.json', '{}'))
    const other = await findModel(directory('c', 'config.json', '{"n_layer":1}'))
    expect(a.input).toMatchObject({ role: 'model', path: join(folder, 'a') })
    expect(same.input.sha256).toBe(a.input.sha256)
    expect(other.input.sha256).not.toBe(a.input.sha256)
  })

  test('that is not there is named with what would do', async () => {
    await expect(findModel(join(folder, 'none'))).rejects.toThrow(/There is no model at .*none: it has no config\.json/)
  })

  test('that lacks what is asked of it is refused before any text is tokenised', async () => {
    await startEngine()
    const [model, text] = [await findModel('toyworld'), await findDataset('toyworld')]
    const started: string[] = []
    const progress = { ...silent, start: (task: string) => started.push(task) }
    const check = () => {
      throw new UserError('no such site')
    }
    const { signal } = new AbortController()
    const before = tf.memory().numTensors
    const loading = loadModelAndText(
      model,
      { ...text, config: DatasetConfig.parse({ path: 'toyworld' }) },
      { progress, signal, check },
    )
    await expect(loading).rejects.toThrow('no such site')
    expect(started).toEqual([])
    expect(tf.memory().numTensors).toBe(before)
  })
})

test('the built-in model and language have hashes that do not change from one call to the next', async () => {
  const [model, language] = [await findModel('toyworld'), await findDataset('toyworld')]
  expect(model.input.path).toBe('toyworld')
  expect((await findModel('toyworld')).input).toEqual(model.input)
  expect((await findDataset('toyworld')).input).toEqual(language.input)
  expect(await hashOfInput(model.input)).toBe(model.input.sha256)
  expect(await hashOfInput(language.input)).toBe(language.input.sha256)
})

test('files and texts that are not there are named', async () => {
  await expect(findDataset(join(folder, 'text'))).rejects.toThrow(`There is no dataset at ${join(folder, 'text')}.`)
  await expect(findFile('stability', join(folder, 's.parquet'))).rejects.toThrow('There is no file at')
})

describe('a run', () => {
  test('is found by id and by directory, with the same hash', async () => {
    const run = await made(store, 'captured', 'capture')
    const byId = await findRun(store, 'captured', 'capture', ['capture'])
    const byPath = await findRun(store, run.directory, 'capture', ['capture'])
    expect(byId.input).toEqual(byPath.input)
    expect(nameOf(byId)).toBe('captured')
  })

  test('of another stage is refused', async () => {
    await made(store, 'captured', 'capture')
    await expect(findSae(store, 'captured')).rejects.toThrow(
      'The run captured is a capture run, but a train or import run is needed.',
    )
  })
})

describe('an SAE', () => {
  test("is a directory in SAELens's layout where that is no run", async () => {
    const path = directory('sae', 'cfg.json', '{}')
    expect((await findSae(store, path)).input).toMatchObject({ role: 'sae', path })
  })

  test('is a run where its directory is one', async () => {
    const run = await made(store, 'trained', 'train', { files: { 'cfg.json': '{}' } })
    expect((await findSae(store, run.directory)).input).toMatchObject({ role: 'sae', run: 'trained' })
  })
})

test('what is gone has no hash', async () => {
  const { input } = await findFile('stability', join(directory('d', 'f', 'x'), 'f'))
  expect(await hashOfInput(input)).toBe(input.sha256)
  rmSync(join(folder, 'd'), { recursive: true })
  expect(await hashOfInput(input)).toBeUndefined()
})

test('the hashing of large inputs ends at once when it is told to', async () => {
  const controller = new AbortController()
  const work = hashing({ ...session, signal: controller.signal }, () => new Promise<never>(() => {}))
  controller.abort()
  await expect(work).rejects.toMatchObject({ exitCode: 4, message: 'Hashing the inputs was interrupted.' })
})

test('the hashing of large inputs is told after two seconds, and not before', async () => {
  vi.useFakeTimers()
  try {
    const notes: string[] = []
    const told = { ...session, progress: { ...session.progress, note: (line: string) => notes.push(line) } }
    const work = hashing(told as typeof session, () => new Promise(done => setTimeout(done, 3000)))
    await vi.advanceTimersByTimeAsync(1999)
    expect(notes).toEqual([])
    await vi.advanceTimersByTimeAsync(1001)
    await work
    expect(notes).toEqual(['Hashing the inputs …'])
    await hashing(told as typeof session, async () => {})
    await vi.advanceTimersByTimeAsync(5000)
    expect(notes).toHaveLength(1)
  } finally {
    vi.useRealTimers()
  }
})
