import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { UserError } from '../../core/errors.ts'
import { Random } from '../../core/random.ts'
import { sharedData } from '../../tests/shared-data.ts'
import { parseNpz, readNpz } from './npz.ts'
import { parseStateDict, readStateDict } from './torch.ts'
import { unpickle } from './unpickle.ts'
import { zipOf } from './zip.fixture.ts'

let folder: string
beforeAll(async () => {
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
    ['of a newer protocol', '\x80\x05.'],
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
  return new Uint8Array([
    ...latin(`\x93NUMPY\x01\x00${String.fromCharCode(text.length & 255, text.length >> 8)}${text}`),
    ...data,
  ])
}

describe('an npz file', () => {
  const read = async (member: Uint8Array, options = {}) => {
    const path = join(folder, 'params.npz')
    await writeFile(path, zipOf({ 'w.npy': member }, options))
    return readNpz(path)
  }
  const header = (descr: string, shape: string, order = 'False') =>
    `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }`
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
  test('that is compressed is refused: what it would unpack to is not known', async () => {
    await expect(read(npy(header('<f4', '(1,)'), new Uint8Array(4)), { method: 8 })).rejects.toThrow('is compressed')
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
})
