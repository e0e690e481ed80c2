/** RAVEL's files, made up: what they say must become the prompts that toyworld has without any file. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadTokenizer } from '../../datasets/tokenizer/index.ts'
import { toyworldModelDirectory, vocabulary } from '../../datasets/toyworld/index.ts'
import { type RavelEntities, ravelPaths, readRavel } from '../ravel-files.ts'
import { type EntityPrompt, ravelPrompts, toyworldPrompts } from './entity-prompts.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravel-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function readAs(kind: string, attributes: unknown, prompts: unknown): Promise<RavelEntities> {
  await writeFile(join(folder, `ravel_${kind}_entity_attributes.json`), JSON.stringify(attributes))
  await writeFile(join(folder, `ravel_${kind}_attribute_to_prompts.json`), JSON.stringify(prompts))
  return readRavel(kind, await ravelPaths(folder, kind))
}

/** A word with the space before it, or a character, is a token. */
const byWords = {
  known: [''],
  encodeAll: async (texts: readonly string[]) =>
    texts.map(text =>
      Int32Array.from(text.match(/ ?\p{L}+|./gu) ?? [], word => {
        if (!byWords.known.includes(word)) byWords.known.push(word)
        return byWords.known.indexOf(word)
      }),
    ),
}
const words = (tokens: Iterable<number>) => Array.from(tokens, id => byWords.known[id])
const long: { readonly bosToken: number | null; readonly context: number } = { bosToken: null, context: 64 }

test('what toyworld’s people are, written as files of RAVEL, gives the prompts that toyworld gives', async () => {
  const expected = toyworldPrompts(0)
  const attributes: Record<string, Record<string, string>> = {}
  const prompts: Record<string, string[]> = {}
  const formOf = ({ tokens, position }: EntityPrompt) =>
    [...tokens.slice(1)].map((id, i) => (i + 1 === position ? '%s' : vocabulary[id])).join(' ')
  for (const prompt of expected) {
    const { entity, attribute, answer } = prompt
    attributes[entity] = { ...attributes[entity], [attribute]: vocabulary[answer]! }
    prompts[attribute] = [...new Set([...(prompts[attribute] ?? []), formOf(prompt)])]
  }
  const read = await readAs('person', attributes, prompts)
  const tokenizer = await loadTokenizer(toyworldModelDirectory())
  const given = await ravelPrompts(read, tokenizer, { bosToken: 0, context: 64 }, 1)
  const told = ({ entity, attribute, tokens, position, answer }: EntityPrompt) =>
    [entity, attribute, [...tokens].join(' '), position, answer].join(' | ')
  const all = new Set(expected.map(told))
  for (const prompt of given) expect(all).toContain(told(prompt))
  // Four forms of each attribute at most, by lot, and no person twice in one.
  const most = Object.values(prompts).reduce((sum, forms) => sum + Math.min(4, forms.length), 0)
  expect(new Set(given.map(told)).size).toBe(most * Object.keys(attributes).length)
})

describe('prompts of a made-up file', () => {
  const paris = { Paris: { Country: 'France', Anthem: '' } }
  const only = async (template: string, model = long) =>
    ravelPrompts(await readAs('city', paris, { Country: [template], Anthem: ['%s sings'] }), byWords, model, 0)

  test('ask behind a BOS, and know where the entity ends; an empty value is no answer', async () => {
    const found = await only('The city of %s is in', { ...long, bosToken: 0 })
    expect(found).toHaveLength(1)
    const [{ tokens, position, answer }] = found as [EntityPrompt]
    expect(words(tokens)).toEqual(['', 'The', ' city', ' of', ' Paris', ' is', ' in'])
    expect([words([tokens[position]!]), words([answer])]).toEqual([[' Paris'], [' France']])
  })

  test('expect the value at once behind a quote or bracket, and behind a space otherwise', async () => {
    for (const [template, answer] of [
      ['"city": "%s", "country": "', 'France'],
      ['city: %s, country: ', ' France'],
      ['the countries (%s) and (', 'France'],
      ['city: %s, country:', ' France'],
    ] as const)
      expect(words([(await only(template))[0]!.answer])).toEqual([answer])
  })

  test('are left out where the text runs on over the entity, or is longer than the context', async () => {
    await expect(only('%sian food is from')).rejects.toThrow('Not one of 1 prompts about entities of the kind city')
    await expect(only('%s is a city of', { ...long, context: 4 })).rejects.toThrow('context of 4 tokens')
    expect(await only('%s is a city of', { ...long, context: 5 })).toHaveLength(1)
  })
})

describe('refused with a sentence is', () => {
  test('a folder that is not there, or has no such file or kind', async () => {
    await expect(ravelPaths(join(folder, 'gone'), 'city')).rejects.toThrow('There is no folder of RAVEL at')
    const empty = await mkdtemp(join(folder, 'empty-'))
    await expect(ravelPaths(empty, 'city')).rejects.toThrow('has no file of RAVEL such as')
    await readAs('verb', { run: { Past: 'ran' } }, { Past: ['%s:'] })
    await expect(ravelPaths(folder, 'verbs')).rejects.toMatchObject({
      message: expect.stringContaining('measures.entities names verbs'),
      fix: expect.stringContaining('verb'),
    })
  })

  test('a file of another form', async () => {
    const rule = (attributes: unknown, prompts: unknown) => readAs('odd', attributes, prompts)
    await expect(rule({ Paris: { Latitude: 48 } }, { Latitude: ['%s'] })).rejects.toThrow('key Paris.Latitude is 48')
    await expect(rule({ Paris: { A: 'b' } }, { A: [] })).rejects.toThrow('key A is []')
    await expect(rule({ Paris: { A: 'b' } }, { A: ['no place'] })).rejects.toThrow('does not hold %s once')
    await expect(rule({ Paris: { A: 'b' } }, { B: ['%s'] })).rejects.toThrow('No entity of')
    await expect(rule([], {})).rejects.toThrow('the file of RAVEL')
  })
})
