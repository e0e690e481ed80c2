import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sharedData } from '../../tests/shared-data.ts'
import { loadTokenizer, type Tokenizer } from './index.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tokenizer-'))
})
afterAll(() => rm(folder, { recursive: true }))

const cases: [name: string, directory: string, bos: number | null][] = [
  ['gpt2', 'tokenizers/gpt2', null],
  ['stories260K', 'models/stories260K', 1],
  ['tinystories-656k', 'models/tinystories-656k', 1],
]
describe.each(cases)('%s', (name, directory, bos) => {
  const path = sharedData(directory)
  const golden = sharedData('goldens', `${name}.tokenizer.json`)
  test.skipIf(!path || !golden)('gives the reference ids for every text, and the text back', async () => {
    const tokenizer = await loadTokenizer(path!)
    const texts = JSON.parse(await readFile(golden!, 'utf8')) as { text: string; ids: number[] }[]
    expect(texts.length).toBeGreaterThan(20)
    let lost = 0
    const all = await tokenizer.encodeAll(texts.map(({ text }) => text))
    for (const [i, { text, ids }] of texts.entries()) {
      const encoded = all[i]!
      expect([...(bos === null ? [] : [bos]), ...encoded]).toEqual(ids)
      // A character this vocabulary lacks is <unk>, and its text is gone.
      if (tokenizer.token(0) === '<unk>' && encoded.includes(0)) lost++
      else expect(await tokenizer.decode(encoded)).toBe(text)
    }
    expect(tokenizer.bosToken).toBe(bos)
    expect(lost).toBeLessThanOrEqual(3)
  })
})

/** Byte-level BPE over a handful of tokens: `Ġ` is the space, `Ã©` the two bytes of é. */
const small = {
  version: '1.0',
  added_tokens: [
    { id: 7, content: '<end>', single_word: false, lstrip: false, rstrip: false, normalized: false, special: true },
  ],
  normalizer: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  post_processor: null,
  decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: {
    type: 'BPE',
    vocab: { a: 0, b: 1, Ġ: 2, Ã: 3, '©': 4, Ġa: 5, 'Ã©': 6 },
    merges: ['Ġ a', 'Ã ©'],
  },
}
const save = (json: unknown, config?: unknown) =>
  Promise.all([
    writeFile(join(folder, 'tokenizer.json'), typeof json === 'string' ? json : JSON.stringify(json)),
    config === undefined
      ? rm(join(folder, 'tokenizer_config.json'), { force: true })
      : writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(config)),
  ])
const open = async (config?: unknown): Promise<Tokenizer> => {
  await save(small, config)
  return loadTokenizer(folder)
}

test('encodes by merges, adds nothing, and knows special tokens written out', async () => {
  const tokenizer = await open({ bos_token: { content: '<end>' }, eos_token: '<end>' })
  expect([...(await tokenizer.encode('b aé<end>'))]).toEqual([1, 5, 6, 7])
  expect(await tokenizer.decode([1, 5, 6, 7])).toBe('b aé<end>')
  expect([tokenizer.bosToken, tokenizer.eosToken, tokenizer.vocabulary]).toEqual([7, 7, 8])
  expect((await tokenizer.encode('')).length).toBe(0)
  expect(await tokenizer.decode([])).toBe('')
})

test('shows each token as text, and half a character as its byte', async () => {
  const tokenizer = await open()
  expect([5, 6, 3, 7, 99].map(id => tokenizer.token(id))).toEqual([' a', 'é', '<0xC3>', '<end>', '<99>'])
})

test('needs no config file, and then has no BOS', async () => {
  expect((await open()).bosToken).toBeNull()
})

test('its hash depends on both files', async () => {
  const hashes = [(await open()).hash, (await open()).hash, (await open({ bos_token: '<end>' })).hash]
  expect(hashes[0]).toBe(hashes[1])
  expect(hashes[2]).not.toBe(hashes[0])
})

test('says which id is no token', async () => {
  const tokenizer = await open()
  await expect(tokenizer.decode([1, 12])).rejects.toThrow(/Token 12 is not in the tokenizer/)
})

describe('a file that is not a tokenizer is a sentence', () => {
  test('missing', () => expect(loadTokenizer(join(folder, 'none'))).rejects.toThrow(/There is no tokenizer at/))
  test('of an older form alone', async () => {
    const old = join(folder, 'old')
    await mkdir(old)
    await writeFile(join(old, 'vocab.json'), '{}')
    await expect(loadTokenizer(old)).rejects.toThrow(/There is no tokenizer\.json in .*old, only vocab\.json/)
  })
  test.each([
    ['not JSON', '{', /is not JSON/],
    ['no model', { version: '1.0' }, /is not a tokenizer that can be read/],
    ['an unknown kind', { ...small, model: { type: 'Magic', vocab: {} } }, /is not a tokenizer that can be read/],
  ])('%s', async (_, json, message) => {
    await save(json)
    await expect(loadTokenizer(folder)).rejects.toThrow(message)
    await expect(loadTokenizer(folder)).rejects.toMatchObject({ exitCode: 1 })
  })
})
