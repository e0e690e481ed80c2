/**
 * Ids are those of the tokenizers library: hand-made tokenizers of the kinds that other implementations get wrong, with ids
 * that Hugging Face's Python package (0.23.3) gave, and what is said where the library fails.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { InterruptedError } from '../../core/errors.ts'
import { sharedCase } from '../../tests/shared-data.ts'
import { loadTokenizer } from './index.ts'
import { TokenizerProcess } from './process.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'library-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function load(json: object, config?: object) {
  const whole = { version: '1.0', added_tokens: [], normalizer: null, pre_tokenizer: null, decoder: null, ...json }
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(whole))
  await rm(join(folder, 'tokenizer_config.json'), { force: true })
  if (config) await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(config))
  return loadTokenizer(folder)
}

/** A tokenizer of whole words: the first has id 1. */
const words = (...list: string[]) => ({
  model: { type: 'WordLevel', vocab: Object.fromEntries(['[UNK]', ...list].map((w, i) => [w, i])), unk_token: '[UNK]' },
})
const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: false }

const cases: [what: string, json: object, text: string, ids: number[]][] = [
  [
    'white space parts words of any language',
    { ...words('naïve', 'Größe', 'été', '!', '日本'), pre_tokenizer: { type: 'Whitespace' } },
    'naïve Größe! été 日本',
    [1, 2, 4, 3, 5],
  ],
  [
    'a capital sigma has one small letter, wherever it stands',
    { ...words('σας', 'σασ'), normalizer: { type: 'Lowercase' } },
    'ΣΑΣ',
    [2],
  ],
  [
    'U+FEFF is no white space to strip',
    { ...words('\ufeffa', 'a'), normalizer: { type: 'Strip', strip_left: true, strip_right: true } },
    ' \ufeffa ',
    [1],
  ],
  [
    'an added single word is not found within words',
    {
      ...words('cat', 's'),
      pre_tokenizer: { type: 'Whitespace' },
      added_tokens: [{ ...plain, id: 1, content: 'cat', single_word: true }],
    },
    'cat cats concat cat',
    [1, 0, 0, 1],
  ],
  [
    'Unigram falls back to bytes',
    {
      model: {
        type: 'Unigram',
        unk_id: 0,
        byte_fallback: true,
        vocab: [
          ['<unk>', 0],
          ['a', -1],
          ...Array.from({ length: 256 }, (_, b) => [`<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`, -9]),
        ],
      },
    },
    'aé',
    [1, 197, 171],
  ],
  [
    'a pattern is replaced',
    {
      ...words('a', 'b'),
      normalizer: { type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' },
      pre_tokenizer: { type: 'Split', pattern: { String: ' ' }, behavior: 'Removed', invert: false },
    },
    'a   b',
    [1, 2],
  ],
  [
    'normalizers work in their order',
    { ...words('№', 'no'), normalizer: { type: 'Sequence', normalizers: [{ type: 'NFKC' }, { type: 'Lowercase' }] } },
    '№',
    [2],
  ],
]
test.each(cases)('%s', async (_, json, text, ids) => {
  expect([...(await (await load(json)).encode(text))]).toEqual(ids)
})

const folderOf = sharedCase('capture', 'tokenizers')
test.skipIf(!folderOf)('each text of the shared tokenizers has the ids of the library', async () => {
  const { texts, ids } = JSON.parse(await readFile(join(folderOf!, 'expected.json'), 'utf8')) as {
    texts: string[]
    ids: Record<string, number[][]>
  }
  for (const name of ['added', 'bpe-eow', 'uni-bytefb', 'wordlevel']) {
    const encoded = await (await loadTokenizer(join(folderOf!, name))).encodeAll(texts)
    expect(encoded.map(own => [...own])).toEqual(ids[name])
  }
})

test('what a file says of cutting and filling up changes no text', async () => {
  const tokenizer = await load({
    ...words('a'),
    pre_tokenizer: { type: 'Whitespace' },
    truncation: { direction: 'Right', max_length: 2, strategy: 'LongestFirst', stride: 5 },
    padding: { strategy: { Fixed: 9 }, direction: 'Right', pad_id: 0, pad_type_id: 0, pad_token: '[UNK]' },
  })
  expect([...(await tokenizer.encode('a a a'))]).toEqual([1, 1, 1])
})

describe('is a sentence', () => {
  test('a file on which the library ends its process', async () => {
    const broken = load({ ...words('a'), normalizer: { type: 'Precompiled', precompiled_charsmap: '/////w==' } })
    await expect(broken).rejects.toMatchObject({ name: 'UserError', exitCode: 1 })
    await expect(broken).rejects.toThrow(/tokenizer\.json is not a tokenizer that can be read: \S/)
  })

  test('a text on which the library ends its process, and others go on', async () => {
    const json = {
      ...words('b'),
      pre_tokenizer: { type: 'Split', pattern: { Regex: '(a+)+$' }, behavior: 'Isolated', invert: false },
    }
    const [tokenizer, other] = [await load(json), await load(json)]
    const hard = `${'a'.repeat(40)}b`
    await expect(tokenizer.encodeAll(['b', hard, 'b'])).rejects.toMatchObject({ name: 'TextRefused', text: 1 })
    for (const one of [tokenizer, other]) expect([...(await one.encode('b'))]).toEqual([1])
  })

  test('a text with a word that a tokenizer without an unknown token lacks', async () => {
    const tokenizer = await load({ model: { type: 'WordLevel', vocab: { a: 0 }, unk_token: '[UNK]' } })
    await expect(tokenizer.encodeAll(['a', 'x'])).rejects.toMatchObject({ name: 'TextRefused', text: 1 })
  })

  test('tokens that are drawn by chance', async () => {
    const model = { type: 'BPE', vocab: { a: 0 }, merges: [], dropout: 0.1 }
    await expect(load({ model })).rejects.toThrow(/has model\.dropout 0\.1: it gives other tokens each time/)
  })

  test('an added token of the config alone', async () => {
    const config = { added_tokens_decoder: { 7: { content: '<more>' } } }
    await expect(load(words('a'), config)).rejects.toThrow(
      /"<more>" is token 7, but in .*tokenizer\.json there is no such token/,
    )
  })

  test('a machine for which the library is not built', async () => {
    vi.stubEnv('NAPI_RS_NATIVE_LIBRARY_PATH', join(folder, 'none.node'))
    try {
      await expect(load(words('not', 'here'))).rejects.toThrow(
        /The tokenizers library does not load on this machine \(\w+ \w+\): \S/,
      )
    } finally {
      vi.unstubAllEnvs()
    }
  })

  test('a vocabulary with ids that are none', async () => {
    await expect(load({ model: { type: 'WordLevel', vocab: { a: -1 } } })).rejects.toThrow(/cannot|can be read/)
  })
})

test('one process is asked by all that load the same tokenizer with as many threads', () => {
  const one = TokenizerProcess.of('{}', 1)
  expect(TokenizerProcess.of('{}', 1)).toBe(one)
  expect(TokenizerProcess.of('{}', 2)).not.toBe(one)
  expect(TokenizerProcess.of('{ }', 1)).not.toBe(one)
})

test('an interrupt ends the reading of a long text at once', async () => {
  const vocab = Object.fromEntries(Array.from('abcdefghijklmnopqrstuvwxyz ', (c, i) => [c, i]))
  const tokenizer = await load({ model: { type: 'BPE', vocab, merges: [] } })
  const controller = new AbortController()
  const long = tokenizer.encode('the quick brown fox '.repeat(1_000_000), controller.signal)
  setTimeout(() => controller.abort(), 300)
  const start = performance.now()
  await expect(long).rejects.toThrow(InterruptedError)
  expect(performance.now() - start).toBeLessThan(3000)
  expect([...(await tokenizer.encode('ab'))]).toEqual([0, 1])
})
