import { afterEach, expect, test, vi } from 'vitest'
import { resolveSettings } from './settings.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

test('settings come from the options, then from the environment, then from the machine', () => {
  vi.stubEnv('PIPELINE_ENGINE', '')
  vi.stubEnv('TF_NUM_INTRAOP_THREADS', '')
  const open = resolveSettings({})
  expect(open).toMatchObject({ engine: 'auto', precision: 'float32' })
  expect(open.threads).toBeGreaterThanOrEqual(1)
  vi.stubEnv('PIPELINE_ENGINE', 'wasm')
  vi.stubEnv('TF_NUM_INTRAOP_THREADS', '3')
  expect(resolveSettings({})).toMatchObject({ engine: 'wasm', threads: 3 })
  expect(resolveSettings({ engine: 'auto' })).toMatchObject({ engine: 'wasm' })
  expect(resolveSettings({ engine: 'tensorflow', threads: 1 })).toMatchObject({ engine: 'tensorflow', threads: 1 })
})

test('settings that make no sense are refused with what to change', () => {
  vi.stubEnv('PIPELINE_ENGINE', 'cuda')
  expect(() => resolveSettings({})).toThrow(
    'The engine must be one of auto, tensorflow, tensorflow-gpu, wasm, but it is cuda.',
  )
  vi.stubEnv('PIPELINE_ENGINE', 'webgpu')
  expect(() => resolveSettings({})).toThrow('Node has none')
  for (const threads of [0, -1, 1.5, Number.NaN])
    expect(() => resolveSettings({ engine: 'wasm', threads })).toThrow('must be a whole number from 1 up')
})
