import { execFileSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { UserError } from '../../core/errors.ts'
import { Random } from '../../core/random.ts'
import { zipOf } from '../../core/zip.fixture.ts'
import { startEngine } from '../../engine/engine.ts'
import { tf } from '../../engine/tf.ts'
import { unpickle } from '../../engine/torch/unpickle.ts'
import { sharedData } from '../../tests/shared-data.ts'
import { parseNpz, readNpz } from './files/npz.ts'
import { parseStateDict, readStateDict } from './files/torch.ts'
import { openSae } from './index.ts'
import { exportSae } from './write/export.ts'

let folder: string
beforeAll(async () => {
  await startEngine()
  folder = await mkdtemp(join(tmpdir(), 'hostile-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const latin = (text: string) => Uint8Array.from(text, character => character.charCodeAt(0))

describe('a pickle', () => {
  test('that names any other function is refused before it is called', () => {
    const attack = latin('cposix\nsystem\n(X\x04\x00\x00\x00echotR.')
    expect(() => unpickle(attack, 'evil.pt')).toThrow('evil.pt names posix.system, which is no tensor: it is refused')
  })
  test('may not reach attributes by a known module either', () => {
    expect(() => unpickle(latin('ctorch._utils\neval\n.'), 'x')).toThrow('names torch._utils.eval')
  })
  test('may not call what is no function', () => {
    expect(() => unpickle(latin('K\x01)R.'), 'x')).toThrow('it calls something that is no function')
  })
  test.each([
    ['empty', ''],
    ['that only pops', '.'],
    ['that closes no mark', 't.'],
    ['that recalls nothing', 'h\x05.'],
    ['with a text longer than the file', 'X\xff\xff\xff\xff.'],
    ['with an unknown instruction', 'i.'],
    ['of a newer protocol', '\x80\x06.'],
  ])('%s is refused in one sentence', (_, program) => {
    expect(() => unpickle(latin(program), 'x')).toThrow(UserError)
  })
  test('may hold a dict of numbers and lists', () => {
    const value = unpickle(latin('\x80\x02}X\x01\x00\x00\x00a](K\x01K\x02es.'), 'x') as Map<string, number[]>
    expect(value.get('a')).toEqual([1, 2])
  })
})

const storage =
  'ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQK\x00'
const stateDict = (shape: string, stride: string) =>
  latin(`\x80\x02}X\x01\x00\x00\x00w${storage}${shape}${stride}\x89ccollections\nOrderedDict\n)RtRs.`)

describe('a PyTorch file', () => {
  const write = async (pickle: Uint8Array, numbers = new Float32Array([1, 2, 3, 4])) => {
    const path = join(folder, 'ae.pt')
    await writeFile(path, zipOf({ 'ae/data.pkl': pickle, 'ae/data/0': new Uint8Array(numbers.buffer) }))
    return path
  }
  test('gives its tensors row by row, whatever their strides', async () => {
    const straight = await readStateDict(await write(stateDict('K\x02K\x02\x86', 'K\x02K\x01\x86')))
    expect([...straight.get('w')!.data]).toEqual([1, 2, 3, 4])
    const turned = await readStateDict(await write(stateDict('K\x02K\x02\x86', 'K\x01K\x02\x86')))
    expect([...turned.get('w')!.data]).toEqual([1, 3, 2, 4])
  })
  test('may not claim more numbers than it has', async () => {
    await expect(readStateDict(await write(stateDict('K\x64K\x64\x86', 'K\x64K\x01\x86')))).rejects.toThrow('too few')
    await expect(readStateDict(await write(stateDict('K\x64K\x64\x86', 'K\x00K\x00\x86')))).rejects.toThrow('too few')
  })
  test('without a pickle, or that is no zip, is refused', async () => {
    const path = join(folder, 'other.pt')
    await writeFile(path, zipOf({ 'ae/data/0': new Uint8Array(4) }))
    await expect(readStateDict(path)).rejects.toThrow('holds no data.pkl')
    await writeFile(path, 'not a zip at all, but long enough for a directory')
    await expect(readStateDict(path)).rejects.toThrow('is not a whole zip archive')
  })
})

const npy = (header: string, data: Uint8Array) => {
  const text = header.padEnd(118)
  const head = latin(`\x93NUMPY\x01\x00${String.fromCharCode(text.length & 255, text.length >> 8)}${text}`)
  return new Uint8Array(Buffer.concat([head, data]))
}

const header = (descr: string, shape: string, order = 'False') =>
  `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }`

describe('an npz file', () => {
  const read = async (member: Uint8Array, options = {}) => {
    const path = join(folder, 'params.npz')
    await writeFile(path, zipOf({ 'w.npy': member }, options))
    return readNpz(path)
  }
  test('gives its arrays', async () => {
    const arrays = await read(npy(header('<f4', '(2,)'), new Uint8Array(new Float32Array([1.5, 2]).buffer)))
    expect(arrays.get('w')).toEqual({ shape: [2], data: new Float32Array([1.5, 2]) })
  })
  test('with Python objects is refused', async () => {
    await expect(read(npy(header('|O', '(1,)'), latin('cposix\nsystem\n.')))).rejects.toThrow(
      'its type |O is not one of',
    )
  })
  test('whose shape is absurd is refused before anything is allocated', async () => {
    await expect(read(npy(header('<f4', '(99999999, 99999999)'), new Uint8Array(8)))).rejects.toThrow(
      'does not fit its 8 bytes',
    )
  })
  test('with code in its header is refused', async () => {
    await expect(read(npy("{'descr': __import__('os')}", new Uint8Array(4)))).rejects.toThrow(
      'not that of a plain array',
    )
  })
  test('that is compressed is read, unless it would unpack to far more than it has', async () => {
    const array = npy(header('<f4', '(2,)'), new Uint8Array(new Float32Array([1.5, 2]).buffer))
    expect((await read(array, { deflate: () => true })).get('w')!.data).toEqual(new Float32Array([1.5, 2]))
    const zeros = npy(header('<f4', '(33554432,)'), new Uint8Array(2 ** 27))
    await expect(read(zeros, { deflate: () => true })).rejects.toThrow('more than 64 times its size is refused')
  })
  test('in columns gives the same array as in rows: numpy.asfortranarray([[[0, 1], [2, 3], [4, 5]]] + 6 i)', async () => {
    const columns = Float32Array.of(0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11)
    const array = npy(header('<f4', '(2, 3, 2)', 'True'), new Uint8Array(columns.buffer))
    expect((await read(array)).get('w')).toEqual({
      shape: [2, 3, 2],
      data: Float32Array.from({ length: 12 }, (_, i) => i),
    })
  })
  test.each([
    ['>f4', [0x3f, 0xc0, 0, 0, 0xc0, 0, 0, 0]],
    ['>f2', [0x3e, 0, 0xc0, 0]],
    ['>f8', [0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0]],
  ])('of big-endian %s gives 1.5 and −2', async (type, bytes) => {
    const arrays = await read(npy(header(type, '(2,)'), Uint8Array.from(bytes)))
    expect(arrays.get('w')!.data).toEqual(new Float32Array([1.5, -2]))
  })
})

describe('a file that is larger inside than outside', () => {
  const gigabyte = 2 ** 30
  /** Refused by that sentence, with no more memory taken than the file's size times a few, and soon. */
  const refusedSmall = async (work: () => unknown, sentence: string | RegExp, fileBytes: number) => {
    const before = process.memoryUsage()
    const start = performance.now()
    await expect((async () => work())()).rejects.toThrow(sentence)
    const after = process.memoryUsage()
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(4 * fileBytes + 2 ** 20)
    expect(after.rss - before.rss).toBeLessThan(gigabyte / 4)
    expect(performance.now() - start).toBeLessThan(5000)
  }

  test('by a shape of 2^40 numbers is refused: npz', async () => {
    const file = zipOf({ 'w.npy': npy(header('<f4', '(1099511627776,)'), new Uint8Array(8)) })
    await refusedSmall(() => parseNpz(file, 'x'), 'does not fit its 8 bytes', file.length)
  })
  test('by a shape of 2^40 numbers is refused: PyTorch', async () => {
    const huge = '\x8a\x06\x00\x00\x00\x00\x00\x01'
    const file = zipOf({ 'ae/data.pkl': stateDict(`${huge}\x85`, 'K\x01\x85'), 'ae/data/0': new Uint8Array(16) })
    await refusedSmall(() => parseStateDict(file, 'x'), 'too few', file.length)
  })
  test('by a shape of 2^40 numbers is refused: safetensors', async () => {
    const directory = await mkdtemp(join(folder, 'sae-'))
    await writeFile(join(directory, 'cfg.json'), '{"architecture":"standard"}')
    const text = JSON.stringify({ W_enc: { dtype: 'F32', shape: [2 ** 20, 2 ** 20], data_offsets: [0, 8] } })
    const size = Buffer.alloc(8)
    size.writeBigUInt64LE(BigInt(text.length))
    await writeFile(join(directory, 'sae_weights.safetensors'), Buffer.concat([size, latin(text), Buffer.alloc(8)]))
    await refusedSmall(() => openSae(directory), 'which takes 4398046511104 bytes, but it has 8', 1000)
  })
  test('by many tensors of one storage is refused', async () => {
    const entry = (name: string) =>
      `X\x04\x00\x00\x00${name}${storage}J\x00\x00\x04\x00\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR`
    const names = Array.from({ length: 500 }, (_, i) => entry(String(i).padStart(4, '0')))
    const pickle = latin(`\x80\x02}(${names.join('')}u.`)
    const file = zipOf({ 'ae/data.pkl': pickle, 'ae/data/0': new Uint8Array(2 ** 20) })
    await refusedSmall(() => parseStateDict(file, 'x'), 'take more room than the file', file.length)
  })
  test('by members that overlap is refused', async () => {
    const file = zipOf({ 'a.npy': npy(header('<f4', '(2,)'), new Uint8Array(8)), 'b.npy': new Uint8Array(0) })
    const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
    const directory = view.getUint32(file.length - 22 + 16, true)
    // The second entry now points at the first member.
    view.setUint32(directory + 46 + 5 + 42, 0, true)
    for (const at of [20, 24]) view.setUint32(directory + 46 + 5 + at, 100, true)
    await refusedSmall(() => parseNpz(file, 'x'), 'its members overlap', file.length)
  })
  test('by a million axes, or values within one another, is refused', async () => {
    const axes = stateDict(`(${'K\x01'.repeat(300_000)}t`, `(${'K\x01'.repeat(300_000)}t`)
    const file = zipOf({ 'ae/data.pkl': axes, 'ae/data/0': new Uint8Array(16) })
    await refusedSmall(() => parseStateDict(file, 'x'), 'has 300000 axes', 40 * file.length)
    const deep = zipOf({ 'ae/data.pkl': latin(`}${')'.padEnd(1_000_000, '\x85')}K\x01s.`) })
    await refusedSmall(() => parseStateDict(deep, 'x'), 'holds a key, which is no tensor', 40 * deep.length)
    const long = zipOf({ 'ae/data.pkl': latin(`](${'K\x01'.repeat(1_000_000)}e.`) })
    await refusedSmall(() => parseStateDict(long, 'x'), 'holds no state dict', 40 * long.length)
  })
})

describe('a directory', () => {
  const sae = async (files: Record<string, string | Uint8Array>) => {
    const directory = await mkdtemp(join(folder, 'sae-'))
    for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content)
    return directory
  }
  test.each([
    ['sae_weights.safetensors', 'cfg.json'],
    ['ae.pt', 'config.json'],
    ['sae.safetensors', 'cfg.json'],
  ])('of %s with a pipe, a device or a folder for its config is refused', async (weights, config) => {
    const directory = await sae({ [weights]: new Uint8Array(8) })
    const path = join(directory, config)
    await mkdir(path)
    await expect(openSae(directory)).rejects.toThrow('is a folder, but a')
    await rm(path, { recursive: true })
    await symlink('/dev/zero', path)
    await expect(openSae(directory)).rejects.toThrow('is a device or a pipe')
    await rm(path)
    execFileSync('mkfifo', [path])
    await expect(openSae(directory)).rejects.toThrow('is a device or a pipe')
    await rm(path)
    await symlink('absent', path)
    await expect(openSae(directory)).rejects.toThrow(UserError)
  })
  test.each([
    ['ae.pt', { 'config.json': '{"trainer":{"dict_class":"AutoEncoder","activation_dim":1,"dict_size":1}}' }],
    ['params.npz', {}],
    ['sae_weights.safetensors', { 'cfg.json': '{}' }],
    ['sae.safetensors', { 'cfg.json': '{"d_in":1,"num_latents":1}' }],
  ])('with a device or a pipe for its %s is refused', async (weights, rest) => {
    const directory = await sae(rest)
    await symlink('/dev/zero', join(directory, weights))
    await expect(openSae(directory)).rejects.toThrow(/is a device or a pipe/)
    await rm(join(directory, weights))
    execFileSync('mkfifo', [join(directory, weights)])
    await expect(openSae(directory)).rejects.toThrow(/is a device or a pipe/)
  })
  test('that holds a pipe besides is refused', async () => {
    const directory = join(folder, 'piped')
    const zeros = (...shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b)) })
    const params = { W_enc: zeros(2, 3), b_enc: zeros(3), W_dec: zeros(3, 2), b_dec: zeros(2) }
    const sizes = { architecture: 'standard', width: 2, outputs: 2, latents: 3 }
    const config = { apply_b_dec_to_input: true }
    await exportSae(directory, { ...sizes, config, params, metadata: { hook_name: '' } }, 'dictionary_learning')
    const sae = await openSae(directory)
    expect(sae.latents).toBe(3)
    sae.dispose()
    execFileSync('mkfifo', [join(directory, 'other')])
    await expect(openSae(directory)).rejects.toThrow('other is neither a file nor a folder')
  })
  test('whose weights are links, as in a download cache, is read', async () => {
    const real = await sae({ blob: 'no numbers' })
    const directory = await sae({})
    await symlink(join(real, 'blob'), join(directory, 'params.npz'))
    await expect(openSae(directory)).rejects.toThrow('is not a whole zip archive')
  })
  test.each([
    ['a list', '[]', 'must hold an object'],
    ['text', 'hello', 'is not JSON'],
    ['nothing', 'null', 'must hold an object'],
    ['100,000 levels', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`, 'more than 100 levels'],
    ['17 MiB', `{"a":"${'x'.repeat(17 * 2 ** 20)}"}`, 'are not read'],
    ['a name that every object has', '{"architecture":"constructor"}', 'constructor is not known'],
    ['a name of many lines', `{"architecture":"a\\nb${'c'.repeat(999)}"}`, /architecture a�bc{50,58}… is not known/],
    ['metadata that is a list', '{"metadata":[]}', 'must be an object'],
    ['an absurd k', '{"architecture":"topk","k":1e300,"metadata":{}}', 'lacks its matrices'],
    ['a negative k', '{"architecture":"topk","k":-1,"metadata":{}}', 'needs k'],
  ])('whose cfg.json is %s is refused', async (_, text, sentence) => {
    const header = '{}'.padEnd(8)
    const weights = new Uint8Array([8, 0, 0, 0, 0, 0, 0, 0, ...latin(header)])
    const directory = await sae({ 'cfg.json': text, 'sae_weights.safetensors': weights })
    await expect(openSae(directory)).rejects.toThrow(sentence)
    await expect(openSae(directory)).rejects.toThrow(UserError)
  })
  test.each([
    [
      'a class that every object has',
      { dict_class: 'constructor', activation_dim: 2, dict_size: 2 },
      'which is not known',
    ],
    [
      '2^40 latents',
      { dict_class: 'BatchTopKSAE', activation_dim: 2, dict_size: 2 ** 40 },
      'it must be [2,1099511627776]',
    ],
  ])('whose config.json names %s is refused', async (_, trainer, sentence) => {
    const directory = await sae({
      'config.json': JSON.stringify({ trainer }),
      'ae.pt': zipOf({
        'ae/data.pkl': latin(
          String.fromCharCode(...stateDict('K\x02K\x02\x86', 'K\x02K\x01\x86')).replace(
            'X\x01\x00\x00\x00w',
            'X\x0e\x00\x00\x00encoder.weight',
          ),
        ),
        'ae/data/0': new Uint8Array(16),
      }),
    })
    await expect(openSae(directory)).rejects.toThrow(sentence)
  })
})

const source = sharedData('saes', 'formats')
/** Mutations of each file; `npm run test:long` makes 100,000. */
const mutations = process.env.PIPELINE_LONG ? 100_000 : 1000

describe.skipIf(!source)('mutated files', () => {
  test.each([
    ['ae.pt', 'dictionary_learning-batchtopk/ae.pt', parseStateDict],
    ['params.npz', 'gemma-scope/layer_3/width_16k/average_l0_22/params.npz', parseNpz],
  ])('%s: each reads or is refused in one sentence', { timeout: 900_000 }, async (name, path, parse) => {
    const original = await readFile(join(source!, path))
    const random = new Random(1, name)
    let refused = 0
    for (let i = 0; i < mutations; i++) {
      const bytes = Uint8Array.from(original)
      // Most bytes are numbers, which may hold anything; the ones that say what they are lie at both ends.
      const place = () => (random.uniform() < 0.5 ? random.int(bytes.length) : bytes.length - 1 - random.int(1200))
      for (let n = random.int(4); n >= 0; n--)
        bytes[random.uniform() < 0.3 ? random.int(900) : place()] = random.int(256)
      try {
        parse(random.uniform() < 0.1 ? bytes.subarray(0, random.int(bytes.length)) : bytes, 'mutated')
      } catch (error) {
        if (!(error instanceof UserError)) throw error
        expect(error.message).toMatch(/^[^\n]{10,400}\.$/)
        refused++
      }
    }
    expect(refused).toBeGreaterThan(mutations / 10)
  })

  test.each([
    ['saelens-v6-topk', '.', 'sae_weights.safetensors', 'cfg.json'],
    ['sparsify-skip-transcoder', 'layers.3', 'sae.safetensors', 'cfg.json'],
    ['dictionary_learning-matryoshka', '.', 'ae.pt', 'config.json'],
  ])('%s: the directory opens whole or is refused, and leaves nothing', { timeout: 3_600_000 }, async (...names) => {
    const [name, below, weights, config] = names
    const directory = join(folder, name, below)
    await cp(join(source!, name, below), directory, { recursive: true })
    await rm(join(directory, 'expected.safetensors'), { force: true })
    const originals = {
      [weights]: await readFile(join(directory, weights)),
      [config]: await readFile(join(directory, config)),
    }
    const random = new Random(2, name)
    const tensors = tf.memory().numTensors
    let refused = 0
    for (let i = 0; i < mutations / (process.env.PIPELINE_LONG ? 1 : 4); i++) {
      const file = random.uniform() < 0.5 ? weights : config
      const original = originals[file]!
      const bytes = Uint8Array.from(original)
      const reach = Math.min(bytes.length, 1200)
      for (let n = random.int(4); n >= 0; n--) bytes[random.int(reach)] = random.int(256)
      await writeFile(
        join(directory, file),
        random.uniform() < 0.1 ? bytes.subarray(0, random.int(bytes.length)) : bytes,
      )
      try {
        const sae = await openSae(directory)
        expect([sae.width, sae.params.b_dec!.shape[0]]).toEqual([sae.width, sae.outputs])
        sae.dispose()
      } catch (error) {
        if (!(error instanceof UserError)) throw error
        expect(error.message).toMatch(/^[^\n]{10,500}[.?]$/)
        refused++
      }
      await writeFile(join(directory, file), original)
      expect(tf.memory().numTensors).toBe(tensors)
    }
    expect(refused).toBeGreaterThan(mutations / 40)
  })
})
