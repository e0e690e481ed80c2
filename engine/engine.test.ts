import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { UserError } from '../core/errors.ts'
import { currentEngine, decideEngine, type Engine, startEngine } from './engine.ts'
import { isInstalled, tensorflowRoot } from './install/places.ts'
import { engineChoices } from './settings.ts'
import { tf } from './tf.ts'

const installed = isInstalled(tensorflowRoot('cpu'))
const repository = fileURLToPath(new URL('..', import.meta.url))

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('where TensorFlow is not installed', () => {
  let folder = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'engine-'))
    vi.stubEnv('PIPELINE_CACHE_DIR', folder)
    return () => rm(folder, { recursive: true })
  })

  test('auto takes wasm and says so in one line', () => {
    const { name, notice } = decideEngine('auto')
    expect(name).toBe('wasm')
    expect(notice).toMatch(/^TensorFlow is not installed: .*doctor --install.*\.$/)
    expect(notice).not.toContain('\n')
  })

  test('what is missing is named: the build, the binding compiled for it, or the npm package that it is made of', async () => {
    const root = tensorflowRoot('cpu')
    expect(decideEngine('auto', true).reason).toBe('TensorFlow is not installed')
    await mkdir(join(root, 'lib'), { recursive: true })
    await writeFile(join(root, 'installed.json'), '{}')
    expect(decideEngine('auto', true).reason).toContain(`${join(root, 'lib', 'tfjs_binding.node')}, is not installed`)
    await writeFile(join(root, 'lib', 'tfjs_binding.node'), '')
    expect(decideEngine('auto', true).name).toBe('tensorflow')
    const { name, reason, notice } = decideEngine('auto', false)
    expect(name).toBe('wasm')
    expect(reason).toBe(
      `TensorFlow lies in ${root}, but tfjs's binding to it, the npm package @tensorflow/tfjs-node-gpu, is not installed`,
    )
    expect(notice).toContain('`pipeline doctor --install` installs it')
    expect(() => decideEngine('tensorflow', false)).toThrow(
      'the npm package @tensorflow/tfjs-node-gpu, is not installed.',
    )
    expect(() => decideEngine('tensorflow-gpu', false)).toThrow("TensorFlow's CUDA build is not installed.")
  })

  test.each(['tensorflow', 'tensorflow-gpu'] as const)('%s by name is an error that tells the way', choice => {
    try {
      decideEngine(choice)
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(UserError)
      expect((error as UserError).message).toContain('is not installed')
      expect((error as UserError).fix).toContain(`pipeline doctor --install --engine ${choice}`)
    }
  })

  test('wasm by name needs no word', () => {
    expect(decideEngine('wasm')).toEqual({ name: 'wasm', root: '', reason: 'wasm was asked for' })
  })
})

describe.skipIf(!installed)('the engine of a process', () => {
  let engine: Engine
  beforeAll(async () => {
    engine = await startEngine({ engine: 'tensorflow', threads: 2 })
  })

  test('is what was asked for, computes, and is current', () => {
    expect(engine).toMatchObject({ name: 'tensorflow', precision: 'float32', threads: 2, version: '2.21.0' })
    expect(currentEngine()).toBe(engine)
    expect(tf.getBackend()).toBe('tensorflow')
    const [sum] = tf.tidy(() =>
      tf
        .matMul(tf.ones([2, 3]), tf.ones([3, 2]))
        .sum()
        .dataSync(),
    )
    expect(sum).toBe(12)
    expect(tf.memory().numTensors).toBe(0)
  })

  test('is the same for the same options and for none', async () => {
    expect(await startEngine()).toBe(engine)
    expect(await startEngine({ engine: 'auto' })).toBe(engine)
    expect(await startEngine({ engine: 'tensorflow', precision: 'float32', threads: 2 })).toBe(engine)
  })

  test.each([
    [{ precision: 'bf16' }, 'The engine runs with precision float32 and cannot change to bf16.'],
    [{ threads: 1 }, 'The engine runs with threads 2 and cannot change to 1.'],
    [{ engine: 'wasm' }, 'The engine runs with engine tensorflow and cannot change to wasm.'],
  ] as const)('does not change to %o', async (options, message) => {
    await expect(startEngine(options)).rejects.toThrow(message)
  })
})

test('there is none before it is started', async () => {
  vi.resetModules()
  const fresh = await import('./engine.ts')
  expect(() => fresh.currentEngine()).toThrow('call startEngine() first')
})

/** Runs a script in a process of its own, from the repository, and gives what it printed. */
async function inProcess(script: string, env: Record<string, string>) {
  const parameters = ['--import', 'tsx', '--input-type=module', '-e', script]
  return promisify(execFile)(process.execPath, parameters, { cwd: repository, env: { ...process.env, ...env } })
}

const product = `
  const { startEngine } = await import('./engine/engine.ts')
  const { tf } = await import('./engine/tf.ts')
  const options = JSON.parse(process.env.OPTIONS)
  const [engine] = await Promise.all([startEngine(options), startEngine(options)])
  const x = tf.linspace(0, 1, 64 * 64).reshape([64, 64])
  console.log(JSON.stringify({ ...engine, value: tf.matMul(x, x).sum().dataSync()[0] }))`

describe('a process of its own', () => {
  test.skipIf(!installed)('starts TensorFlow without a word of its own on the terminal', async () => {
    const { stdout, stderr } = await inProcess(product, {
      OPTIONS: '{"engine":"tensorflow"}',
      TF_CPP_MIN_LOG_LEVEL: '0',
    })
    expect(stderr).toBe('')
    expect(JSON.parse(stdout).name).toBe('tensorflow')
  })

  test.skipIf(!installed)('may round products to bf16, and float32 does not, whatever the environment', async () => {
    const value = async (precision: string, env: Record<string, string> = {}) =>
      JSON.parse((await inProcess(product, { OPTIONS: JSON.stringify({ precision }), ...env })).stdout)
    const exact = await value('float32', { ONEDNN_DEFAULT_FPMATH_MODE: 'BF16' })
    const rounded = await value('bf16')
    expect(exact.precision).toBe('float32')
    expect(rounded.precision).toBe('bf16')
    expect(Math.abs(rounded.value / exact.value - 1)).toBeLessThan(1e-2)
    expect(exact.value).toBe((await value('float32')).value)
  })

  test('starts wasm without a word', async () => {
    const options = { OPTIONS: '{"engine":"wasm","precision":"bf16"}', PIPELINE_ISA: '' }
    const { stdout, stderr } = await inProcess(product, options)
    expect(stderr).toBe('')
    const { name, precision, nativeOps, notice } = JSON.parse(stdout)
    expect([name, precision, nativeOps]).toEqual(['wasm', 'float32', false])
    expect(notice).toBe('The wasm engine has no bf16: it computes in float32.')
  })
})

test('every choice is decided', () => {
  for (const choice of engineChoices) {
    try {
      expect(decideEngine(choice).name).not.toBe('auto')
    } catch (error) {
      expect(error).toBeInstanceOf(UserError)
    }
  }
})
