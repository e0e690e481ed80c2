/** The closed vocabulary of toyworld, and its tokenizer in Hugging Face form: one token a word, split at spaces. */
import { articles, closers, factForms, openers, otherForms, pronouns } from './grammar.ts'
import * as lexicon from './lexicon.ts'

/** Beginning of text (id 0), end of text (id 1), and any word that toyworld does not have (id 2). */
export const specialTokens = ['<bos>', '<eos>', '<unk>'] as const
export const bosToken = 0
export const eosToken = 1
const unknownToken = 2

/** Every string in a value, however deep. */
function strings(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (value === null || typeof value !== 'object') return []
  return Object.values(value).flatMap(strings)
}

function allWords(): string[] {
  const { people, countries, cities, foods, instruments, occupations, venues, things, matters } = lexicon
  const nouns = [cities, foods, instruments, occupations, venues, things, matters].flat()
  const texts = [
    ...strings([factForms, otherForms, openers, closers, articles, pronouns]),
    ...people.map(person => person.name),
    ...countries,
    ...nouns.flatMap(noun =>
      lexicon.languages.flatMap(language => [noun.words[language].male, noun.words[language].female]),
    ),
    ...strings([lexicon.feelings.map(word => word.words), lexicon.judgements.map(word => word.words)]),
    ...lexicon.nonsense,
  ]
  const words = texts.flatMap(text => text.split(' ')).map(word => word.replace(/^\*/, ''))
  return [...new Set(words)].filter(word => !/^\{.*\}$/.test(word)).sort((a, b) => (a < b ? -1 : 1))
}

/** Every token in order of its id. */
export const vocabulary: readonly string[] = [...specialTokens, ...allWords()]

const ids = new Map(vocabulary.map((word, id) => [word, id]))

/** The id of a word; `<unk>`'s for words toyworld does not have. */
export function tokenOf(word: string): number {
  return ids.get(word) ?? unknownToken
}

/** What `tokenizer.json` holds. */
export function tokenizerJson(): unknown {
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: { type: 'WhitespaceSplit' },
    post_processor: null,
    decoder: null,
    model: { type: 'WordLevel', vocab: Object.fromEntries(ids), unk_token: specialTokens[unknownToken] },
  }
}

/** What `tokenizer_config.json` holds. */
export function tokenizerConfigJson(): unknown {
  return {
    bos_token: specialTokens[bosToken],
    eos_token: specialTokens[eosToken],
    unk_token: specialTokens[unknownToken],
    clean_up_tokenization_spaces: false,
    model_max_length: 128,
    tokenizer_class: 'PreTrainedTokenizerFast',
  }
}
