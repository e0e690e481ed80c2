/** What a stage's bytes depend on is in its key, and what an SAE was made from is found or missed by name. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { keyOf } from '../../runs/key.ts'
import { RunStore } from '../../runs/store.ts'
import { hashed } from './found.ts'
import { findSae } from './inputs.ts'
import { captureOf, datasetOf, modelOf } from './origin.ts'
import report from './report.ts'
import { stageSchema } from './stage.ts'
import { common, from, made, session } from './store.fixture.ts'
import validate from './validate.ts'

let folder: string
let store: RunStore
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-origin-'))
  store = new RunStore(join(folder, 'runs'))
  mkdirSync(join(folder, 'model'))
  writeFileSync(join(folder, 'model', 'config.json'), '{}')
  writeFileSync(join(folder, 'text.txt'), 'one text')
  const model = (await hashed('model', join(folder, 'model'))).input
  const dataset = (await hashed('dataset', join(folder, 'text.txt'))).input
  const capture = await made(store, 'captured', 'capture', {
    inputs: [model, dataset],
    config: { model: model.path, dataset: { path: dataset.path, seed: 3 } },
    files: { 'capture.json': '{"mean":1}' },
  })
  await made(store, 'trained', 'train', { inputs: [from(capture, 'capture')], files: { 'cfg.json': '{}' } })
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const removed = (name: string) => rmSync(join(store.directory, name), { recursive: true })

async function validateKey(own: Record<string, unknown> = {}): Promise<string> {
  const config = common(store, stageSchema(validate as never).parse({ sae: 'trained', ...own }))
  const { inputs, config: recorded } = await validate.prepare(
    { ...config, 'runs-dir': store.directory },
    store,
    session,
  )
  return keyOf({ stage: 'validate', config: recorded, inputs, seed: 0, engine: {} })
}

describe('the key of a validate run', () => {
  test('is another where the capture, whose mean ablations put in place, is gone', async () => {
    const named = { model: join(folder, 'model'), dataset: { path: join(folder, 'text.txt') } }
    const before = await validateKey(named)
    expect(await validateKey(named)).toBe(before)
    removed('captured')
    expect(await validateKey(named)).not.toBe(before)
  })

  test('is the same whatever its gates are', async () => {
    expect(await validateKey({ gates: { minimumPassed: 3 } })).toBe(await validateKey())
    expect(await validateKey({ alpha: 0.01 })).not.toBe(await validateKey())
  })

  test('is the same whether model and text are named or inherited', async () => {
    const named = { model: join(folder, 'model'), dataset: { path: join(folder, 'text.txt'), seed: 3 } }
    const { config } = await validate.prepare(
      common(store, stageSchema(validate as never).parse({ sae: 'trained', ...named })),
      store,
      session,
    )
    expect(config.model).toBe(join(folder, 'model'))
    expect((config.dataset as { seed: number }).seed).toBe(3)
  })
})

test('the key of a report has the capture that it shows', async () => {
  const config = common(store, stageSchema(report as never).parse({ sae: 'trained' }))
  const roles = async () => (await report.prepare(config, store, session)).inputs.map(({ role }) => role)
  expect(await roles()).toEqual(['sae', 'capture'])
  removed('captured')
  expect(await roles()).toEqual(['sae'])
})

describe('what an SAE was made from', () => {
  test('is what its capture recorded', async () => {
    const sae = await findSae(store, 'trained')
    expect((await modelOf(store, sae, undefined)).directory).toBe(join(folder, 'model'))
    expect((await datasetOf(store, sae, undefined)).config).toMatchObject({ path: join(folder, 'text.txt'), seed: 3 })
    expect((await captureOf(store, sae))!.input).toMatchObject({ role: 'capture', run: 'captured' })
  })

  test('is missed by the name of the run that recorded it', async () => {
    const sae = await findSae(store, 'trained')
    removed('captured')
    await expect(modelOf(store, sae, undefined)).rejects.toThrow(
      `Which model the SAE trained was made from stands in the run captured, which is not in ${store.directory} any more.`,
    )
    await expect(datasetOf(store, sae, undefined)).rejects.toThrow('Which text the SAE trained')
    expect(await captureOf(store, sae)).toBeUndefined()
  })

  test('is said not to be recorded where no run recorded it', async () => {
    await made(store, 'imported', 'import', { files: { 'cfg.json': '{}' } })
    const sae = await findSae(store, 'imported')
    await expect(modelOf(store, sae, undefined)).rejects.toThrow(
      'It is not recorded which model the SAE imported was made from.',
    )
  })

  test('is refused where it is not what it was', async () => {
    const sae = await findSae(store, 'trained')
    writeFileSync(join(folder, 'model', 'config.json'), '{"n_layer":2}')
    writeFileSync(join(folder, 'text.txt'), 'another text')
    await expect(modelOf(store, sae, undefined)).rejects.toThrow(/model has changed since the SAE trained was made/)
    await expect(datasetOf(store, sae, undefined)).rejects.toThrow(/text\.txt has changed since the SAE trained/)
  })
})
