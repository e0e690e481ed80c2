import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeJson } from '../../core/files.ts'
import { loadTokenizer, type Tokenizer } from '../tokenizer/index.ts'
import { longestDocument, toyworldDocument } from './generate.ts'
import { factForms, otherForms, relations } from './grammar.ts'
import {
  factPrompts,
  facts,
  indirectObjectPrompts,
  inductionPrompts,
  languages,
  pronounPrompts,
  registers,
  tokenizerConfigJson,
  tokenizerJson,
  toyworldDocuments,
  toyworldEntropy,
  vocabulary,
} from './index.ts'
import { people } from './lexicon.ts'
import { renderForm } from './sentence.ts'
import { objectsOf } from './world.ts'

const documents = toyworldDocuments({ seed: 7, documents: 400 })
const textOf = (tokens: ArrayLike<number>) => Array.from(tokens, token => vocabulary[token]).join(' ')

describe('the world', () => {
  test('has 204 facts, each subject one of each relation', () => {
    expect(facts).toHaveLength(204)
    expect(new Set(facts.map(fact => fact.id)).size).toBe(204)
  })

  test('deals objects out evenly, so that no guess by frequency is better than another', () => {
    for (const relation of relations) {
      const counts = new Map(objectsOf[relation].map(noun => [noun.key, 0]))
      for (const fact of facts.filter(fact => fact.relation === relation))
        counts.set(fact.object.key, counts.get(fact.object.key)! + 1)
      const values = [...counts.values()]
      expect(Math.max(...values) - Math.min(...values)).toBeLessThanOrEqual(1)
    }
  })

  test('is the same whatever the seed of the text', () => {
    expect(facts.find(fact => fact.id === 'lives:Mary')!.object.key).toBe('Ironby')
  })
})

describe('the grammar', () => {
  test('has at least three paraphrases of every relation, and three forms of gifts and pronouns, a language', () => {
    for (const language of languages) {
      for (const relation of relations) expect(new Set(factForms[language][relation]).size).toBeGreaterThanOrEqual(3)
      for (const kind of ['indirect-object', 'pronoun'] as const)
        expect(new Set(otherForms[language][kind]).size).toBeGreaterThanOrEqual(3)
    }
  })

  test('shows every relation before its object, after which nothing else could be asked', () => {
    for (const language of languages)
      for (const relation of relations)
        for (const form of factForms[language][relation]) {
          expect(form.indexOf('*')).toBeGreaterThanOrEqual(0)
          expect(form.indexOf('*')).toBeLessThan(form.indexOf('{O}'))
          expect(form.search(/\{[SNC]\}/)).toBeLessThan(form.indexOf('{O}'))
        }
  })

  test('agrees: articles with the noun that follows, occupations and adjectives with the person', () => {
    const person = people.find(({ name }) => name === 'Mary')!
    const { object } = facts.find(({ id }) => id === 'works:Mary')!
    const words = renderForm('{S} *travaille comme {O}', 'fact', { person, object }, { language: 'french' })
    expect(words.at(-1)!.text).toBe(object.words.french.female)
    const fish = objectsOf.likes.find(({ key }) => key === 'soup')!
    const soup = renderForm('{S} mange {du} {O}', 'fact', { person, object: fish }, { language: 'french' })
    expect(soup.map(word => word.text).join(' ')).toBe('Mary mange de la soupe')
  })
})

describe('documents', () => {
  test('equal seeds give equal documents, one by one or together', () => {
    expect(toyworldDocuments({ seed: 7, documents: 400 })).toEqual(documents)
    expect(toyworldDocument(7, 123).document).toEqual(documents[123])
  })

  test('other seeds give other texts', () => {
    const texts = new Set(documents.map(document => document.text))
    const others = toyworldDocuments({ seed: 8, documents: 400 }).filter(document => texts.has(document.text))
    expect(others.length).toBeLessThan(20)
  })

  test('text, tokens and concepts are parallel, and no document is longer than promised', () => {
    for (const { text, tokens, tokenConcepts } of documents) {
      expect(textOf(tokens!)).toBe(text)
      expect(tokenConcepts).toHaveLength(tokens!.length)
      expect(tokens!.length).toBeLessThanOrEqual(longestDocument)
    }
  })

  test('every language, register and kind occurs, named in the strata and on each token', () => {
    const seen = (field: string) => new Set(documents.map(({ strata }) => strata[field]))
    expect(seen('language')).toEqual(new Set(languages))
    expect(seen('register')).toEqual(new Set(registers))
    expect(seen('kind').size).toBe(6)
    for (const { strata, tokenConcepts } of documents) {
      for (const concepts of tokenConcepts!) {
        expect(concepts).toContain(`register=${strata.register}`)
        expect(concepts.filter(concept => concept.startsWith('language='))).toHaveLength(1)
        expect(concepts.filter(concept => concept.startsWith('kind='))).toHaveLength(1)
      }
    }
  })

  test('a fact tells the truth: the object word is the one the world holds, in the language of the sentence', () => {
    let checked = 0
    for (const { strata, tokens, tokenConcepts } of documents) {
      if (strata.factId === 'none') continue
      const fact = facts.find(({ id }) => id === strata.factId)!
      const at = tokenConcepts!.findIndex(concepts => concepts.includes('role=object'))
      expect(tokenConcepts![at]).toContain(`${fact.object.kind}=${fact.object.key}`)
      expect(tokenConcepts![at]).toContain(`relation=${fact.relation}`)
      const forms = fact.object.words[strata.language as 'english']
      expect([forms.male, forms.female]).toContain(vocabulary[tokens![at]!])
      checked++
    }
    expect(checked).toBeGreaterThan(80)
  })

  test('pronouns have the gender of the person named last', () => {
    for (const { tokenConcepts } of documents) {
      let last = ''
      for (const concepts of tokenConcepts!) {
        const gender = concepts.find(concept => concept.startsWith('gender='))?.slice('gender='.length)
        if (concepts.includes('pronoun')) expect(gender).toBe(last)
        if (concepts.some(concept => concept.startsWith('person='))) last = gender!
        if (last) expect(concepts).toContain(`last-person=${last}`)
      }
    }
  })

  test('a name is one person wherever it stands', () => {
    const senses = new Map<string, Set<string>>()
    for (const { tokens, tokenConcepts } of documents)
      tokenConcepts!.forEach((concepts, i) => {
        const word = vocabulary[tokens![i]!]!
        for (const person of concepts.filter(concept => concept.startsWith('person=')))
          senses.set(word, (senses.get(word) ?? new Set()).add(person))
      })
    expect(senses.size).toBe(people.length)
    for (const found of senses.values()) expect(found.size).toBe(1)
  })

  test('a token marked as induction repeats the word that came after the same word before', () => {
    let checked = 0
    for (const { tokens, tokenConcepts } of documents)
      tokenConcepts!.forEach((concepts, i) => {
        if (!concepts.includes('induction') || !tokenConcepts![i - 1]!.includes('induction')) return
        const before = tokens!.lastIndexOf(tokens![i - 1]!, i - 2)
        expect(tokens![before + 1]).toBe(tokens![i])
        checked++
      })
    expect(checked).toBeGreaterThan(100)
  })

  test('the entropy is what the choices cost: more than a nat a token, less than two', () => {
    const entropy = toyworldEntropy({ seed: 7, documents: 400 })
    expect(entropy).toBeGreaterThan(0.9)
    expect(entropy).toBeLessThan(1.3)
  })
})

describe('prompts', () => {
  test('ask every fact in every form of every language and register', () => {
    const prompts = factPrompts()
    expect(prompts).toHaveLength(204 * 4 * 4 * 4)
    expect(new Set(prompts.map(prompt => prompt.id)).size).toBe(prompts.length)
    for (const prompt of prompts.slice(0, 500)) {
      const fact = facts.find(({ id }) => id === prompt.strata.fact)!
      const forms = fact.object.words[prompt.strata.language as 'english']
      expect([forms.male, forms.female]).toContain(vocabulary[prompt.answer])
      expect(prompt.tokens).not.toContain(prompt.answer)
      expect([...prompt.distractors]).not.toContain(prompt.answer)
    }
  })

  test('of gifts are answered by the one of the two who does not give', () => {
    for (const prompt of indirectObjectPrompts({ seed: 1, prompts: 200 })) {
      const names = prompt.text.split(' ').filter(word => people.some(({ name }) => name === word))
      expect(names).toHaveLength(3)
      const giver = names[2]!
      expect(textOf(prompt.distractors)).toBe(giver)
      expect([names[0], names[1]].filter(name => name !== giver)).toEqual([vocabulary[prompt.answer]])
    }
  })

  test('of gifts let either of the two give', () => {
    const firstGives = indirectObjectPrompts({ seed: 1, prompts: 200 }).map(prompt => {
      const names = prompt.text.split(' ').filter(word => people.some(({ name }) => name === word))
      return names[0] === names[2]
    })
    const share = firstGives.filter(Boolean).length / 200
    expect(share).toBeGreaterThan(0.35)
    expect(share).toBeLessThan(0.65)
  })

  test('of pronouns name one person, and of sequences show the answer once', () => {
    for (const prompt of pronounPrompts({ seed: 1, prompts: 100 })) {
      const person = people.find(({ name }) => prompt.text.split(' ').includes(name))!
      expect(['she', 'elle', 'sie', 'ella'].includes(vocabulary[prompt.answer]!)).toBe(person.gender === 'female')
    }
    for (const prompt of inductionPrompts({ seed: 1, prompts: 100 })) {
      const shown = [...prompt.tokens]
      const last = shown.at(-1)!
      expect(shown[shown.indexOf(last) + 1]).toBe(prompt.answer)
    }
  })
})

describe('the tokenizer', () => {
  let directory: string
  let tokenizer: Tokenizer
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'toyworld-'))
    await writeJson(join(directory, 'tokenizer.json'), tokenizerJson())
    await writeJson(join(directory, 'tokenizer_config.json'), tokenizerConfigJson())
    tokenizer = await loadTokenizer(directory)
  })
  afterAll(() => rm(directory, { recursive: true, force: true }))

  test('has the vocabulary, with <bos> and <eos> known', () => {
    expect(tokenizer.vocabulary).toBe(vocabulary.length)
    expect(vocabulary.length).toBeLessThanOrEqual(1200)
    expect([tokenizer.bosToken, tokenizer.eosToken]).toEqual([0, 1])
  })

  test('gives exactly the tokens of a document for its text, and the text back', async () => {
    const texts = documents.map(({ text }) => text!)
    expect(await tokenizer.encodeAll(texts)).toEqual(documents.map(({ tokens }) => tokens))
    for (const { text, tokens } of documents.slice(0, 50)) expect(await tokenizer.decode(tokens!)).toBe(text)
  })

  test('gives any sequence of words back', async () => {
    const words = fc.array(fc.integer({ min: 3, max: vocabulary.length - 1 }), { minLength: 1, maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(words, async ids => {
        expect([...(await tokenizer.encode(textOf(ids)))]).toEqual(ids)
      }),
      { seed: 1 },
    )
  })

  test('gives <unk> for a word that toyworld does not have', async () => {
    expect((await tokenizer.encode('Mary supercalifragilistic'))[1]).toBe(2)
  })
})
