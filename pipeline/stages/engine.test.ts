/** Which engine a stage is done on where TensorFlow is not found, which the tests say by naming an empty cache. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import type { RunRequest } from '../../runs/key.ts'
import type { OpenRun } from '../../runs/open-run.ts'
import { RunStore } from '../../runs/store.ts'
import { decideEngine } from './engine.ts'
import type { Stage } from './stage.ts'
import { common, session } from './store.fixture.ts'

let folder: string
let store: RunStore
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-engine-'))
  store = new RunStore(join(folder, 'runs'))
  vi.stubEnv('PIPELINE_CACHE_DIR', folder)
  vi.stubEnv('PIPELINE_ENGINE', '')
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
})

const stage: Stage = {
  stage: 'sized',
  about: 'Writes a size.',
  config: z.strictObject({ size: z.int() }),
  inputs: {},
  figures: [],
  prepare: async () => {
    throw new Error('not needed')
  },
}
const member = { config: { size: 1 }, inputs: [], seed: 0 }

async function made(engine: string, changes: Partial<RunRequest> = {}): Promise<void> {
  const facts = { name: engine, precision: 'float32' }
  const request = { ...member, stage: 'sized', engine: facts, versions: {}, machine: {}, ...changes }
  const { run } = await store.open(request, session.now)
  await (run as OpenRun).finish({})
}

const decide = (engine: string) => decideEngine(stage, common(store, { engine }), [member], store)

describe('without TensorFlow, auto', () => {
  test('takes wasm in a store that knows nothing else', async () => {
    expect((await decide('auto'))!.facts).toEqual({ name: 'wasm', precision: 'float32' })
    await made('wasm')
    await made('tensorflow', { stage: 'other' })
    expect((await decide('auto'))!.facts.name).toBe('wasm')
  })

  test.each(['tensorflow', 'tensorflow-gpu'])('is refused where the same work was done on %s', async name => {
    await made(name, { name: 'before' })
    await made('wasm', { seed: 5 })
    await expect(decide('auto')).rejects.toMatchObject({
      exitCode: 1,
      message: expect.stringMatching(
        /^TensorFlow is not installed for this user, and before, a sized run of this store/,
      ),
      fix: expect.stringContaining('PIPELINE_CACHE_DIR'),
    })
  })

  test('is refused where the latest run of the stage was on TensorFlow, whatever its settings', async () => {
    await made('tensorflow', { seed: 7, config: { size: 9 } })
    await expect(decide('auto')).rejects.toThrow('was made on tensorflow')
  })

  test("is nobody's wish where wasm was asked for by name", async () => {
    await made('tensorflow')
    expect((await decide('wasm'))!.facts.name).toBe('wasm')
    vi.stubEnv('PIPELINE_ENGINE', 'wasm')
    expect((await decide('auto'))!.facts.name).toBe('wasm')
    await expect(decide('tensorflow')).rejects.toThrow('TensorFlow is not installed.')
  })

  test('is not asked for by a stage that computes nothing', async () => {
    await made('tensorflow')
    expect(await decideEngine({ ...stage, needsEngine: false }, common(store), [member], store)).toBeUndefined()
  })
})
