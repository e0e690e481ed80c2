import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { parseConfig } from '../core/config.ts'
import { silent } from '../core/progress.ts'
import { ReadSequence } from '../core/sequence.ts'
import { DatasetConfig, openDataset } from './dataset.ts'
import type { Split, TokenDataset } from './document.ts'
import { cutWindows } from './splits.ts'
import { loadTokenizer, TextRefused, type Tokenizer } from './tokenizer/index.ts'
import { bosToken, tokenizerJson, toyworldDocument } from './toyworld/index.ts'

const textOf = (ids: ArrayLike<number>) => String.fromCharCode(...Array.from(ids))
/** A token a character: its code, below 1000. */
const characters: Tokenizer = {
  vocabulary: 1000,
  hash: 'characters',
  bosToken: null,
  eosToken: null,
  padToken: null,
  encodeAll: async texts => texts.map(text => Int32Array.from(text, c => c.charCodeAt(0) % 1000)),
  encode: async text => (await characters.encodeAll([text]))[0]!,
  decode: async ids => textOf(ids),
  token: id => String.fromCharCode(id),
}
const BOS = 1

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dataset-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

let files = 0
/** Opens a dataset of one file with this content. */
async function open(
  content: string | Uint8Array,
  settings: Record<string, unknown> = {},
  {
    ending = 'txt',
    context = 8,
    bosToken = BOS as number | null,
    tokenizer = characters,
    heldBytes = undefined as number | undefined,
  } = {},
): Promise<TokenDataset> {
  const path = join(folder, `file${files++}.${ending}`)
  await writeFile(path, content)
  const heldOut = { fraction: 0 }
  const config = parseConfig(DatasetConfig, { path, heldOut, ...settings }, 'dataset')
  return openDataset(config, tokenizer, { context, bosToken, heldBytes })
}
const jsonl = (lines: unknown[], settings = {}, options = {}) =>
  open(lines.map(line => JSON.stringify(line)).join('\n'), settings, { ending: 'jsonl', ...options })
const texts = (dataset: TokenDataset) =>
  dataset.documents.map((_, place) =>
    dataset.windows
      .filter(({ documents }) => documents[0] === place)
      .map(({ tokens }) => textOf(tokens.slice(1)))
      .join(''),
  )
const decoded = (dataset: TokenDataset) => dataset.windows.map(({ tokens }) => textOf(tokens).replaceAll('\u0001', '^'))

describe('documents of a text file', () => {
  test('one a file, as it stands', async () => {
    const dataset = await open(' a\n\nb ')
    expect(texts(dataset)).toEqual([' a\n\nb '])
    expect(dataset.documents.at(0)!.id).toMatch(/^file\d+$/)
  })

  test('between separators, stripped, without empty ones', async () => {
    expect(texts(await open('<|end|> one <|end|>\n<|end|>two\n<|end|>', { separator: '<|end|>' }))).toEqual([
      'one',
      'two',
    ])
  })

  test('between blank lines', async () => {
    expect(texts(await open('one\ntoo\n\n\ntwo\r\n \r\nthree\n', { separator: 'blank-line' }))).toEqual([
      'one\ntoo',
      'two',
      'three',
    ])
  })

  test('of every file in a folder, by path, with the file as stratum', async () => {
    const path = join(folder, 'many')
    await mkdir(join(path, 'deep'), { recursive: true })
    await writeFile(join(path, 'b.txt'), 'second')
    await writeFile(join(path, 'a.jsonl'), '{"text":"first","id":"x"}\n')
    await writeFile(join(path, 'deep/c.txt'), 'third')
    await writeFile(join(path, 'ignored.bin'), 'no')
    const config = parseConfig(DatasetConfig, { path, heldOut: { fraction: 0 } }, 'dataset')
    const dataset = await openDataset(config, characters, { context: 99, bosToken: null })
    expect(dataset.documents.map(({ id, strata }) => [id, strata.file])).toEqual([
      ['x', 'a'],
      ['b', 'b'],
      ['deep/c', 'deep/c'],
    ])
    expect(dataset.concepts).toEqual(['file=a', 'file=b', 'file=deep/c'])
  })

  test('as many as asked for', async () => {
    expect(texts(await open('a|b|c', { separator: '|', documents: 2 }))).toEqual(['a', 'b'])
  })
})

describe('documents of a JSONL file', () => {
  test('carry strata, concepts and token concepts', async () => {
    const dataset = await jsonl(
      [
        { id: 'en', text: 'ab', language: 'en', level: 3, concepts: ['cat'] },
        { id: 'de', tokens: [5, 6], language: 'de', level: 1, token_concepts: [['dog'], []] },
      ],
      { strataFields: ['language', 'level'] },
    )
    expect(dataset.documents.map(({ strata }) => strata)).toEqual([
      { language: 'en', level: '3' },
      { language: 'de', level: '1' },
    ])
    expect(dataset.concepts).toEqual(['cat', 'dog', 'language=de', 'language=en', 'level=1', 'level=3'])
    expect([...dataset.windows.at(1)!.tokens]).toEqual([BOS, 5, 6])
  })

  test('are named by their line where they have no id', async () => {
    const dataset = await jsonl([{ text: 'a' }, { text: 'b' }])
    expect(dataset.documents.map(({ id }) => id.replace(/^file\d+/, 'file'))).toEqual(['file-1', 'file-2'])
  })

  test.each([
    ['{"text": "a"}\n{"text": ', /line 2 is not JSON/],
    ['{"text": "a"}\n\n[1]', /line 3 is not a JSON object/],
    ['{"txt": "a"}', /line 1 has no field text/],
    ['{"text": " "}', /line 1: the field text is empty/],
    ['{"text": 5}', /line 1: the field text must be a text/],
    ['{"tokens": []}', /line 1: the field tokens must be a list of token ids/],
    ['{"tokens": [1.5]}', /line 1: the field tokens must be a list of token ids/],
    ['{"tokens": [1], "token_concepts": []}', /token_concepts has 0 entries, but there are 1 tokens/],
    ['{"text": "a", "token_concepts": [[]]}', /has token_concepts but no tokens/],
    ['{"tokens": [1000]}', /has token 1000, but the tokenizer has 1000 tokens/],
    ['{"id": "x", "text": "a"}\n{"id": "x", "text": "b"}', /Two documents of .* have the id "x"/],
    ['{"text": "ab", "tokens": [97, 99]}', /are not this tokenizer's/],
    ['\n\n', /holds no text/],
  ])('%s is refused', async (content, message) => {
    await expect(open(content, {}, { ending: 'jsonl' })).rejects.toThrow(message)
  })

  test('a field that is not there is named with the nearest one', async () => {
    const error = await jsonl([{ text: 'a', language: 'en' }], { strataFields: ['langauge'] }).catch(e => e)
    expect(error.message).toMatch(/line 1 has no field langauge/)
    expect(error.fix).toMatch(/nearest field is language/)
  })
})

describe('a source that cannot be read says why', () => {
  test('empty text', () => expect(open(' \n')).rejects.toThrow(/holds no text/))
  test('only separators', () => expect(open('||', { separator: '|' })).rejects.toThrow(/holds no text/))
  test('not UTF-8', () => expect(open(Uint8Array.of(0x61, 0xff))).rejects.toThrow(/is not UTF-8/))
  test('an unknown ending', () => expect(open('x', {}, { ending: 'pdf' })).rejects.toThrow(/ends in \.pdf/))
  test('a missing file', () =>
    expect(open('x', { path: join(folder, 'no') })).rejects.toThrow(/There is no dataset at/))
  test('strata of a text file', () =>
    expect(open('x', { strataFields: ['language'] })).rejects.toThrow(/has no fields/))
  test('a context beyond the model', () =>
    expect(open('x', { context: 9 })).rejects.toThrow(/context is 9, but the model reads at most 8/))
  test('a BOS token that does not exist', () =>
    expect(open('x', { bos: true }, { bosToken: null })).rejects.toThrow(/neither model nor tokenizer/))
  test('less than a window', () =>
    expect(open('abc', { packing: 'concatenate' })).rejects.toThrow(/fewer tokens than one window of 8/))
  test('an unknown key', () => expect(open('x', { seperator: '|' })).rejects.toThrow(/no key seperator/))
})

describe('windows', () => {
  test('of a document: BOS in front of every piece', async () => {
    const dataset = await open('abcdefghij|xyz', { separator: '|' }, { context: 5 })
    expect(decoded(dataset)).toEqual(['^abcd', '^efgh', '^ij', '^xyz'])
    expect(dataset.windows.map(({ id }) => id.replace(/^file\d+/, ''))).toEqual(['-0', '-0#1', '-0#2', '-1'])
    expect([...dataset.windows.at(1)!.offsets]).toEqual([-1, 4, 5, 6, 7])
    expect([...dataset.windows.at(3)!.documents]).toEqual([1, 1, 1, 1])
    expect(dataset.windows.map(({ index }) => index)).toEqual([0, 1, 2, 3])
  })

  test('without BOS where the config says so, or nobody has one', async () => {
    expect(decoded(await open('abcd', { bos: false }, { context: 3 }))).toEqual(['abc', 'd'])
    expect(decoded(await open('abcd', {}, { context: 3, bosToken: null }))).toEqual(['abc', 'd'])
  })

  test('joined: BOS in front of every document, equal windows, the short rest dropped', async () => {
    const dataset = await open('abc|de|fghi', { separator: '|', packing: 'concatenate' }, { context: 4 })
    expect(decoded(dataset)).toEqual(['^abc', '^de^', 'fghi'])
    expect(dataset.windows.map(({ id }) => id)).toEqual(['window-0', 'window-1', 'window-2'])
    expect([...dataset.windows.at(1)!.documents]).toEqual([1, 1, 1, 2])
    expect([...dataset.windows.at(1)!.offsets]).toEqual([-1, 0, 1, -1])
  })

  test('have one BOS, also where the tokens bring theirs along', async () => {
    const lines = [
      { id: 'a', tokens: [BOS, 5, 6, 7, 8, 9] },
      { id: 'b', tokens: [2, 3] },
      { id: 'c', tokens: [BOS] },
    ]
    const settings = { maxSkipped: 0.5 }
    const apart = await jsonl(lines, settings, { context: 4 })
    expect(apart.windows.map(({ tokens }) => [...tokens])).toEqual([
      [BOS, 5, 6, 7],
      [BOS, 8, 9],
      [BOS, 2, 3],
    ])
    expect(apart.windows.map(({ offsets }) => [...offsets])).toEqual([
      [-1, 1, 2, 3],
      [-1, 4, 5],
      [-1, 0, 1],
    ])
    expect(apart.skipped).toEqual([{ reason: 'no tokens', count: 1 }])
    const joined = await jsonl(lines, { ...settings, packing: 'concatenate' }, { context: 3 })
    expect(joined.windows.map(({ tokens }) => [...tokens])).toEqual([
      [BOS, 5, 6],
      [7, 8, 9],
      [BOS, 2, 3],
    ])
    const bare = await jsonl(lines.slice(0, 1), { bos: false }, { context: 6 })
    expect(bare.windows.map(({ tokens }) => [...tokens])).toEqual([[BOS, 5, 6, 7, 8, 9]])
  })

  test('are at most 65,536 tokens long, whatever the model reads, and that is said once', async () => {
    const path = join(folder, 'long.jsonl')
    await writeFile(path, JSON.stringify({ tokens: Array.from({ length: 70_000 }, (_, i) => 2 + (i % 900)) }))
    const notes: string[] = []
    const config = parseConfig(DatasetConfig, { path, heldOut: { fraction: 0 } }, 'dataset')
    const progress = { ...silent, note: (line: string) => notes.push(line) }
    const dataset = await openDataset(config, characters, { context: 131_072, bosToken: BOS, progress })
    expect(dataset.windows.map(({ tokens }) => tokens.length)).toEqual([65_536, 70_000 - 65_535 + 1])
    expect(dataset.config!.context).toBe(65_536)
    expect(notes).toEqual(['Windows have at most 65,536 tokens, though the model reads 131,072.'])
  })

  test('joined: the last share of windows is held out by tail', async () => {
    const heldOut = { fraction: 0.2, by: 'tail' }
    const dataset = await open('a'.repeat(399), { packing: 'concatenate', heldOut }, { context: 4 })
    const splits = dataset.windows.map(({ split }) => split)
    expect(splits.slice(0, 80).every(split => split === 'train')).toBe(true)
    expect(splits.slice(80)).toEqual([...Array(10).fill('discovery'), ...Array(10).fill('validation')])
  })
})

const splits: Split[] = ['train', 'discovery', 'validation', 'outOfDistribution']

test('text that is larger than memory gives the same documents, windows and hash', async () => {
  const lines = Array.from({ length: 60 }, (_, i) => ({
    ...{ id: `d${i}`, text: `${i} `.repeat(1 + ((i * 7) % 23)), language: ['en', 'fi', 'sv'][i % 3] },
    concepts: i % 5 === 0 ? ['fifth'] : undefined,
  }))
  for (const packing of ['document', 'concatenate'])
    for (const by of ['hash', 'tail'])
      for (const bosToken of [BOS, 48]) {
        const settings = {
          ...{ packing, strataFields: ['language'], heldOut: { by, fraction: 0.3 } },
          outOfDistribution: { field: 'language', values: ['sv'] },
        }
        const [held, spilled] = await Promise.all(
          [undefined, 0].map(heldBytes => jsonl(lines, settings, { bosToken, heldBytes })),
        )
        expect(held!.windows).toBeInstanceOf(Array)
        expect(spilled!.windows).not.toBeInstanceOf(Array)
        expect([...spilled!.windows]).toEqual(held!.windows)
        expect([...spilled!.documents]).toEqual(held!.documents)
        expect([spilled!.hash, spilled!.concepts]).toEqual([held!.hash, held!.concepts])
      }
})

describe('splits', () => {
  const lines = Array.from({ length: 400 }, (_, i) => ({
    id: `doc${i}`,
    text: 'x'.repeat(1 + (i % 17)),
    language: i % 10 === 0 ? 'fi' : 'en',
  }))
  const settings = fc.record({
    packing: fc.constantFrom('document', 'concatenate'),
    heldOut: fc.record({ fraction: fc.constantFrom(0.1, 0.3, 0.5), by: fc.constantFrom('hash', 'tail') }),
    seed: fc.integer({ min: 0, max: 100 }),
    outOfDistribution: fc.option(fc.constant({ field: 'language', values: ['fi'] }), { nil: undefined }),
  })

  test('share no document and no token, whatever the settings', async () => {
    await fc.assert(
      fc.asyncProperty(settings, async config => {
        const dataset = await jsonl(lines, { strataFields: ['language'], ...config })
        const documents = new Map<number, Set<Split>>()
        const tokens = new Set<string>()
        for (const window of dataset.windows) {
          window.documents.forEach((document, i) => {
            documents.set(document, (documents.get(document) ?? new Set()).add(window.split))
            tokens.add(`${document} ${window.offsets[i]}`)
            if (config.outOfDistribution)
              expect(window.split === 'outOfDistribution').toBe(
                dataset.documents.at(document)!.strata.language === 'fi',
              )
          })
        }
        const shared = [...documents.values()].filter(own => own.size > 1).length
        const joinedTail = config.packing === 'concatenate' && config.heldOut.by === 'tail'
        expect(shared).toBeLessThanOrEqual(joinedTail ? 2 : 0)
        if (config.packing === 'concatenate')
          expect(tokens.size).toBe(dataset.windows.reduce((sum, window) => sum + window.tokens.length, 0))
        const share = (split: Split) => dataset.windows.filter(w => w.split === split).length / dataset.windows.length
        const inside = 1 - share('outOfDistribution')
        expect(Math.abs((share('discovery') + share('validation')) / inside - config.heldOut.fraction)).toBeLessThan(
          0.1,
        )
        expect(share('discovery')).toBeGreaterThan(0)
        expect(share('validation')).toBeGreaterThan(0)
      }),
      { numRuns: process.env.PIPELINE_LONG ? 30 : 10, seed: 1 },
    )
  })

  test('of a document by hash do not depend on the other documents', async () => {
    const heldOut = { fraction: 0.3 }
    const all = await jsonl(lines, { heldOut })
    const some = await jsonl(lines.slice(100, 150).reverse(), { heldOut })
    const splitOf = new Map(all.windows.map(({ id, split }) => [id, split]))
    expect(new Set(some.windows.map(({ split }) => split)).size).toBeGreaterThan(1)
    for (const { id, split } of some.windows) expect(split).toBe(splitOf.get(id))
  })

  test('change with the seed', async () => {
    const of = async (seed: number) =>
      (await jsonl(lines, { heldOut: { fraction: 0.3 }, seed })).windows
        .map(({ split }) => splits.indexOf(split))
        .join('')
    expect(await of(1)).toBe(await of(1))
    expect(await of(1)).not.toBe(await of(2))
  })

  test('that leave nothing to train on are refused', async () => {
    const all = { strataFields: ['language'], outOfDistribution: { field: 'language', values: ['fi', 'en'] } }
    await expect(jsonl(lines, all)).rejects.toThrow(/none is left to train on/)
  })

  test('by a field or value that no document has are refused with the nearest', async () => {
    const strataFields = ['language']
    const field = await jsonl(lines, { strataFields, outOfDistribution: { field: 'languages', values: ['fi'] } }).catch(
      e => e,
    )
    expect([field.message, field.fix].join(' ')).toMatch(/no document has that stratum.*mean language\?/)
    const value = await jsonl(lines, { strataFields, outOfDistribution: { field: 'language', values: ['fr'] } }).catch(
      e => e,
    )
    expect([value.message, value.fix].join(' ')).toMatch(/no document has language fr.*mean fi\?/)
  })
})

test('the hash tells content, tokenizer and settings apart, but not where the file lies', async () => {
  const hash = async (...args: Parameters<typeof open>) => (await open(...args)).hash
  const same = await jsonl([{ id: 'a', text: 'one' }])
  expect((await jsonl([{ id: 'a', text: 'one' }])).hash).toBe(same.hash)
  const others = [
    await jsonl([{ id: 'b', text: 'one' }]),
    await jsonl([{ id: 'a', text: 'two' }]),
    await jsonl([{ id: 'a', text: 'one', concepts: ['x'] }]),
    await jsonl([{ id: 'a', text: 'one' }], { seed: 1 }),
    await jsonl([{ id: 'a', text: 'one' }], { context: 4 }),
    await jsonl([{ id: 'a', text: 'one' }], { bos: false }),
    await jsonl([{ id: 'a', text: 'one' }], {}, { tokenizer: { ...characters, hash: 'others' } }),
  ].map(dataset => dataset.hash)
  expect(new Set([same.hash, ...others]).size).toBe(others.length + 1)
  expect(await hash('abc')).not.toBe(await hash('abcd'))
})

test('special tokens are those of model and tokenizer, each once', async () => {
  const path = join(folder, 'special.txt')
  await writeFile(path, 'abc')
  const config = parseConfig(DatasetConfig, { path, heldOut: { fraction: 0 } }, 'dataset')
  const special = { ...characters, bosToken: 7, eosToken: 9, padToken: 7 }
  const dataset = await openDataset(config, special, { context: 8, bosToken: BOS, eosToken: 3 })
  expect(dataset.specialTokens).toEqual([BOS, 3, 7, 9])
})

test('a text that the tokenizer refuses, or has no tokens for, is left out and counted', async () => {
  const encodeAll = async (texts: readonly string[]) => {
    const text = texts.findIndex(text => text.includes('!'))
    if (text >= 0) throw new TextRefused(text, 'too hard')
    return (await characters.encodeAll(texts)).map(tokens => tokens.filter(token => token !== 0x3f))
  }
  const settings = { separator: '|', maxSkipped: 0.5 }
  const dataset = await open('a|b!|c|??|d|e!', settings, { tokenizer: { ...characters, encodeAll } })
  expect(decoded(dataset)).toEqual(['^a', '^c', '^d'])
  expect(dataset.windows.map(({ documents }) => documents[1])).toEqual([0, 1, 2])
  expect(dataset.skipped).toEqual([
    { reason: 'a text that the tokenizer refuses', count: 2 },
    { reason: 'no tokens', count: 1 },
  ])
  await expect(open('a|b!|c', { separator: '|' }, { tokenizer: { ...characters, encodeAll } })).rejects.toThrow(
    /-1 \(2 characters\) was not tokenised.*too hard/,
  )
})

test('each document is tokenised once', async () => {
  let calls = 0
  const encodeAll = (texts: readonly string[]) => {
    calls += texts.length
    return characters.encodeAll(texts)
  }
  await open(
    'a|b|c|d',
    { separator: '|', packing: 'concatenate', context: 2 },
    { tokenizer: { ...characters, encodeAll } },
  )
  expect(calls).toBe(4)
})

describe('toyworld, the built-in dataset', () => {
  const openToyworld = async (settings: Record<string, unknown> = {}) => {
    const directory = join(folder, 'toyworld')
    await mkdir(directory, { recursive: true })
    await writeFile(join(directory, 'tokenizer.json'), JSON.stringify(tokenizerJson()))
    const tokenizer = await loadTokenizer(directory)
    const config = parseConfig(DatasetConfig, { path: 'toyworld', documents: 50, ...settings }, 'dataset')
    return openDataset(config, tokenizer, { context: 256, bosToken })
  }

  test('opens by its name, with the tokens its own tokenizer gives, and concepts for each', async () => {
    const dataset = await openToyworld()
    expect(dataset.windows).toHaveLength(50)
    for (const { tokens, documents } of dataset.windows)
      expect([...tokens]).toEqual([bosToken, ...toyworldDocument(0, documents[0]!).document.tokens!])
    expect(dataset.concepts).toContain('language=french')
    expect((await openToyworld()).hash).toBe(dataset.hash)
    expect((await openToyworld({ seed: 1 })).hash).not.toBe(dataset.hash)
  })

  test("is refused with another model's tokenizer", () =>
    expect(open('', { path: 'toyworld', documents: 3 })).rejects.toThrow(/are not this tokenizer's/))
})

test.each(['document', 'concatenate'])(
  'the cutting of many documents into windows (%s) hears a signal in each of its passes',
  async packing => {
    let clock = 0
    const now = vi.spyOn(performance, 'now').mockImplementation(() => clock)
    const length = 500
    const config = { ...parseConfig(DatasetConfig, { path: 'x', heldOut: { fraction: 0.9 } }, 'dataset'), packing }
    try {
      for (let pass = 0, isCut = true; isCut; pass++) {
        let [begun, slow, isAborted] = [0, 0, false]
        const read = (place: number) => {
          if (place === 0 && begun++ === pass) setImmediate(() => (isAborted = true))
          if (begun !== pass + 1) return
          clock += 30
          slow++
        }
        const idOf = (place: number) => {
          read(place)
          return `d${place}`
        }
        const documents = new ReadSequence(length, place => ({ id: idOf(place), strata: {} }))
        const lengthOf = (place: number) => {
          read(place)
          return 5
        }
        const tokenised = { count: length, idOf, lengthOf, tokensOf: () => new Int32Array(5) }
        const cut = cutWindows(documents, tokenised, { context: 8, bos: null }, config as DatasetConfig, () => {
          if (isAborted) throw new Error('stopped')
        })
        isCut = await cut.then(
          () => false,
          error => error.message === 'stopped',
        )
        expect(slow).toBeLessThan(10)
        if (!isCut) expect(pass).toBe(2)
      }
    } finally {
      now.mockRestore()
    }
  },
)
