import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { UserError } from '../../core/errors.ts'
import { sha256 } from '../../core/hash.ts'
import { silent } from '../../core/progress.ts'
import { opsPath } from '../native/build.ts'
import { installEngine } from './choice.ts'
import { addonsHash } from './compile.ts'
import { recordContents } from './contents.ts'
import { damagedFile, installTensorflow, isComplete, type Manifest, readInstallManifest } from './install.ts'
import {
  bindingPath,
  cacheDirectory,
  isInstalled,
  LIBRARIES,
  manifestPath,
  quietPath,
  TENSORFLOW_VERSION,
  tensorflowRoot,
} from './places.ts'
import { fillRoot } from './source.ts'
import { placeOf, unpackWheels } from './unpack.ts'
import { archiveOf, wheelOf } from './wheel.fixture.ts'
import { parseWheel, wheelsFor } from './wheels.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'install-'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

const header = 'tensorflow/c/c_api.h'
const libraries = Object.fromEntries(LIBRARIES.map((name, i) => [`tensorflow/${name}`, `library ${i}`]))

/** A wheel's own list of its files, as PEP 376 has it. */
function record(files: Readonly<Record<string, string>>): string {
  const hash = (text: string) => createHash('sha256').update(text).digest('base64url')
  return Object.entries(files)
    .map(([name, text]) => `${name},sha256=${hash(text)},${text.length}\r\n`)
    .join('')
}

const content = archiveOf({
  ...libraries,
  [`tensorflow/include/${header}`]: '#pragma once',
  'tensorflow/include/tensorflow/core/graph.h': 'not needed',
  'tensorflow/python/__init__.py': 'not needed',
  'tensorflow-2.21.0.dist-info/RECORD': record({ ...libraries, [`tensorflow/include/${header}`]: '#pragma once' }),
})
const wheel = wheelOf(content, 'tensorflow-2.21.0-cp311-cp311-any.whl')
const set = { tensorflow: [wheel], cuda: [] }

describe('the cache', () => {
  test('is where the user says, else where the system keeps caches', () => {
    vi.stubEnv('PIPELINE_CACHE_DIR', '/place')
    expect(cacheDirectory()).toBe('/place')
    vi.stubEnv('PIPELINE_CACHE_DIR', '')
    if (process.platform !== 'linux') return
    vi.stubEnv('XDG_CACHE_HOME', '/caches')
    expect(cacheDirectory()).toBe('/caches/pipeline')
    expect(tensorflowRoot('cpu')).toMatch(/^\/caches\/pipeline\/tensorflow-2\.21\.0-cpu-linux-/)
  })
})

describe('the pinned wheels', () => {
  test('are known for each build by file, size and hash', () => {
    for (const [variant, platform, arch] of [
      ['cpu', 'linux', 'x64'],
      ['cpu', 'linux', 'arm64'],
      ['cpu', 'darwin', 'arm64'],
      ['cuda', 'linux', 'x64'],
    ] as const) {
      const { tensorflow, cuda } = wheelsFor(variant, platform, arch)
      for (const { file, bytes, sha256 } of [...tensorflow, ...cuda]) {
        expect(sha256).toMatch(/^[0-9a-f]{64}$/)
        expect(bytes).toBeGreaterThan(1e6)
        expect(parseWheel(file).requirement).toMatch(/^(tensorflow|nvidia)[a-z0-9-]*==[\d.]+$/)
      }
      expect(cuda.length > 0).toBe(variant === 'cuda')
    }
  })

  test('say of themselves what pip needs to know', () => {
    expect(parseWheel('nvidia_cuda_nvcc_cu12-12.9.86-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl')).toEqual(
      { requirement: 'nvidia-cuda-nvcc-cu12==12.9.86', python: 'py3', platform: 'manylinux2010_x86_64' },
    )
  })

  test('are none where TensorFlow has no build', () => {
    expect(() => wheelsFor('cpu', 'win32', 'x64')).toThrow('TensorFlow 2.21.0 has no build for win32 x64.')
    expect(() => wheelsFor('cuda', 'darwin', 'arm64')).toThrow('TensorFlow 2.21.0 with CUDA has no build')
  })
})

describe('unpacking', () => {
  test('takes libraries, the headers of the C API and licences, and nothing else', () => {
    expect(placeOf(`tensorflow/${LIBRARIES[1]}`)).toBe(join('lib', LIBRARIES[1]!))
    expect(placeOf('tensorflow/include/xla/tsl/c/tsl_status.h')).toBe('include/xla/tsl/c/tsl_status.h')
    expect(placeOf('tensorflow/include/LICENSE')).toBe('LICENSE')
    expect(placeOf('nvidia/cudnn/lib/libcudnn.so.9')).toBe('nvidia/cudnn/lib/libcudnn.so.9')
    for (const name of ['tensorflow/include/tensorflow/c/', 'tensorflow/include/google/x.h', 'nvidia/__init__.py'])
      expect(placeOf(name)).toBeUndefined()
  })

  test('goes on where it was cut', async () => {
    const path = join(folder, wheel.file)
    await writeFile(path, content)
    const root = join(folder, 'root')
    await unpackWheels([path], root, silent)
    const library = join(root, 'lib', LIBRARIES[0]!)
    await rm(join(root, 'include'), { recursive: true })
    const made = (await stat(library)).mtimeMs
    const totals: (number | undefined)[] = []
    await unpackWheels([path], root, { ...silent, start: (_, total) => totals.push(total) })
    expect(totals).toEqual(['#pragma once'.length])
    expect((await stat(library)).mtimeMs).toBe(made)
    expect(await readFile(join(root, 'include', header), 'utf8')).toBe('#pragma once')
  })

  test('takes anew what has the right size and other bytes, and gives the hash of each file', async () => {
    const path = join(folder, wheel.file)
    await writeFile(path, content)
    const root = join(folder, 'root')
    const library = join(root, 'lib', LIBRARIES[0]!)
    await mkdir(dirname(library), { recursive: true })
    await writeFile(library, 'LIBRARY 0')
    const hashes = await unpackWheels([path], root, silent)
    expect(await readFile(library, 'utf8')).toBe('library 0')
    expect(hashes.get(join('lib', LIBRARIES[0]!))).toBe(sha256('library 0'))
    expect(await unpackWheels([path], root, silent)).toEqual(hashes)
  })

  test('of a wheel whose bytes are not those it lists is refused, and leaves no such file', async () => {
    const path = join(folder, 'odd.whl')
    await writeFile(
      path,
      archiveOf({
        ...libraries,
        'tensorflow-2.21.0.dist-info/RECORD': record({ ...libraries, [`tensorflow/${LIBRARIES[0]}`]: 'another' }),
      }),
    )
    await expect(unpackWheels([path], join(folder, 'root'), silent)).rejects.toThrow('but its RECORD says')
    expect(existsSync(join(folder, 'root', 'lib', LIBRARIES[0]!))).toBe(false)
  })
})

describe('a folder named by the user', () => {
  const root = () => join(folder, 'root')

  async function name(files: Readonly<Record<string, string | Buffer>>): Promise<void> {
    for (const [file, data] of Object.entries(files)) {
      await mkdir(dirname(join(folder, 'own', file)), { recursive: true })
      await writeFile(join(folder, 'own', file), data)
    }
    vi.stubEnv('LIBTENSORFLOW_DIR', join(folder, 'own'))
  }

  test('may hold the wheel, which is left there', async () => {
    await name({ [wheel.file]: content })
    await fillRoot(root(), set, silent)
    expect(await readFile(join(root(), 'lib', LIBRARIES[1]!), 'utf8')).toBe('library 1')
    expect(await readdir(join(folder, 'own'))).toEqual([wheel.file])
  })

  test.each([
    ['in it', ''],
    ['in lib', 'lib/'],
  ])('may hold the libraries %s, with headers', async (_, place) => {
    const files = Object.fromEntries(LIBRARIES.map(library => [place + library, library]))
    await name({ ...files, [`include/${header}`]: '#pragma once' })
    await fillRoot(root(), set, silent)
    expect(await readFile(join(root(), 'lib', LIBRARIES[0]!), 'utf8')).toBe(LIBRARIES[0])
    expect(await readFile(join(root(), 'include', header), 'utf8')).toBe('#pragma once')
  })

  test('whose wheel is damaged is refused, and nothing is unpacked', async () => {
    const damaged = Buffer.from(content)
    damaged[100]! ^= 1
    await name({ [wheel.file]: damaged })
    await expect(fillRoot(root(), set, silent)).rejects.toThrow('is not what was pinned')
    await expect(readdir(root())).rejects.toThrow('ENOENT')
  })

  test('that lacks something is refused by what it lacks', async () => {
    await name({ 'readme.txt': '' })
    await expect(fillRoot(root(), set, silent)).rejects.toThrow(`holds no ${wheel.file}, nor ${LIBRARIES[0]} and`)
    await name(Object.fromEntries(LIBRARIES.map(library => [library, ''])))
    await expect(fillRoot(root(), set, silent)).rejects.toThrow('holds no include/tensorflow/c/c_api.h')
    vi.stubEnv('LIBTENSORFLOW_DIR', join(folder, 'nowhere'))
    await expect(fillRoot(root(), set, silent)).rejects.toBeInstanceOf(UserError)
  })
})

describe('a root is complete', () => {
  async function makeRoot(): Promise<{ root: string; manifest: Manifest }> {
    const root = join(folder, 'root')
    await mkdir(join(root, 'lib'), { recursive: true })
    const files = [...LIBRARIES.map(library => join(root, 'lib', library)), bindingPath(root), quietPath(root)]
    for (const file of [...files, opsPath(root)]) await writeFile(file, 'x')
    const manifest: Manifest = {
      schema: 1,
      tensorflow: TENSORFLOW_VERSION,
      variant: 'cpu',
      sources: [],
      libraries: Object.fromEntries(LIBRARIES.map(library => [library, 1])),
      contents: await recordContents(
        root,
        LIBRARIES.map(library => join('lib', library)),
      ),
      addons: await addonsHash(),
    }
    await writeFile(manifestPath(root), JSON.stringify(manifest))
    return { root, manifest }
  }

  test('when its manifest, written last, is there and everything is as it says', async () => {
    const { root } = await makeRoot()
    expect(await isComplete(root)).toBe(true)
    expect(isInstalled(root)).toBe(true)
    await rm(manifestPath(root))
    expect(await isComplete(root)).toBe(false)
    expect(isInstalled(root)).toBe(false)
  })

  test('unless a library has another size, a part is gone or was made from other sources', async () => {
    const { root, manifest } = await makeRoot()
    await writeFile(join(root, 'lib', LIBRARIES[0]!), 'xx')
    expect(await isComplete(root)).toBe(false)
    await writeFile(join(root, 'lib', LIBRARIES[0]!), 'x')
    expect(await isComplete(root)).toBe(true)
    for (const path of [bindingPath(root), quietPath(root), opsPath(root)]) {
      await rm(path)
      expect(await isComplete(root)).toBe(false)
      await writeFile(path, 'x')
    }
    for (const change of [{ addons: 'other' }, { tensorflow: '2.9.1' }, { schema: 2 }]) {
      await writeFile(manifestPath(root), JSON.stringify({ ...manifest, ...change }))
      expect(await isComplete(root)).toBe(false)
    }
    await writeFile(manifestPath(root), '{ "schema": 1, ')
    expect(await isComplete(root)).toBe(false)
  })

  test('unless a library of the right size has other bytes; a start looks again where times differ', async () => {
    const { root, manifest } = await makeRoot()
    const library = join(root, 'lib', LIBRARIES[0]!)
    const later = new Date(Date.now() + 60_000)
    await utimes(library, later, later)
    expect(await damagedFile(root)).toBeUndefined()
    const renewed = (await readInstallManifest(root))!.contents!
    expect(renewed[join('lib', LIBRARIES[0]!)]!.seconds).toBe(Math.floor(later.getTime() / 1000))
    await writeFile(library, 'y')
    expect(await damagedFile(root)).toBe(join('lib', LIBRARIES[0]!))
    expect(await isComplete(root)).toBe(false)
    await writeFile(manifestPath(root), JSON.stringify({ ...manifest, contents: undefined }))
    expect(await isComplete(root)).toBe(false)
  })
})

test('wasm needs no installation, and auto goes on without TensorFlow and says what is missing', async () => {
  expect(await installEngine({ engine: 'wasm' })).toEqual({ text: 'The wasm engine needs no installation.' })
  vi.stubEnv('PIPELINE_CACHE_DIR', folder)
  vi.stubEnv('PATH', folder)
  // Before anything is fetched for it.
  await expect(installEngine({ engine: 'tensorflow' })).rejects.toThrow('there is no g++')
  vi.stubEnv('CXX', '/bin/true')
  const { text, problem } = await installEngine({ engine: 'auto' })
  expect(text).toMatch(/there is no python3 .* Until then the slower wasm engine is used, which PIPELINE_ENGINE=wasm /)
  expect(problem!.exitCode).toBe(1)
  await expect(installEngine({ engine: 'tensorflow' })).rejects.toThrow('there is no python3')
  vi.stubEnv('LIBTENSORFLOW_DIR', join(folder, 'nowhere'))
  await expect(installEngine({ engine: 'auto' })).rejects.toThrow('nowhere')
})

const installed = tensorflowRoot('cpu')

test.runIf(process.platform === 'linux')('a machine that cannot have TensorFlow lacks nothing', async () => {
  vi.stubEnv('PIPELINE_CACHE_DIR', folder)
  vi.spyOn(process.report!, 'getReport').mockReturnValue({ header: {} } as never)
  const { text, problem } = await installEngine({ engine: 'auto' })
  expect([text, problem]).toEqual([
    expect.stringMatching(/GNU C library.* The slower wasm engine is used\.$/),
    undefined,
  ])
  await expect(installEngine({ engine: 'tensorflow' })).rejects.toThrow('GNU C library')
  vi.restoreAllMocks()
})

describe.runIf(process.env.PIPELINE_LONG && isInstalled(installed))('an installation', () => {
  // It compiles the custom ops: a minute alone, and more than ten beside much other work.
  test('from the libraries of another, twice at the same time, is done once', { timeout: 1_800_000 }, async () => {
    vi.stubEnv('PIPELINE_CACHE_DIR', join(folder, 'cache'))
    vi.stubEnv('LIBTENSORFLOW_DIR', installed)
    const notes: string[] = []
    const progress = { ...silent, note: (line: string) => notes.push(line) }
    const both = await Promise.all([installTensorflow({ progress }), installTensorflow({ progress })])
    expect(both.map(({ changed }) => changed).sort()).toEqual([false, true])
    expect(notes).toEqual([`Waiting for process ${process.pid} on ${hostname()}, which installs the same.`])
    expect((await installTensorflow()).changed).toBe(false)
    // TensorFlow, and tfjs's binding to it.
    expect((await readdir(join(folder, 'cache'))).length).toBe(2)

    await rm(bindingPath(tensorflowRoot('cpu')))
    expect((await installTensorflow()).changed).toBe(true)
  })

  test('with libraries that are none is refused', { timeout: 600_000 }, async () => {
    vi.stubEnv('PIPELINE_CACHE_DIR', join(folder, 'cache'))
    await mkdir(join(folder, 'own'))
    for (const library of LIBRARIES) await writeFile(join(folder, 'own', library), 'not a library')
    await symlink(join(installed, 'include'), join(folder, 'own', 'include'))
    vi.stubEnv('LIBTENSORFLOW_DIR', join(folder, 'own'))
    await expect(installTensorflow()).rejects.toThrow("could not compile tfjs's binding")
    expect(isInstalled(tensorflowRoot('cpu'))).toBe(false)
  })
})
