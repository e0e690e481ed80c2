/** Prompts with one right next word, to measure what a model of toyworld knows. */
import { Random } from '../../core/random.ts'
import { inRegister } from './generate.ts'
import { factForms, type Kind, openers, otherForms } from './grammar.ts'
import {
  type Language,
  languages,
  nonsense,
  type Person,
  people,
  type Register,
  registers,
  things,
  venues,
} from './lexicon.ts'
import { type Bindings, renderForm, type Word } from './sentence.ts'
import { tokenOf } from './vocabulary.ts'
import { facts, objectsOf } from './world.ts'

export interface Prompt {
  readonly id: string
  readonly kind: Exclude<Kind, 'feeling'>
  readonly text: string
  /** Token ids without BOS; the answer comes next. */
  readonly tokens: Int32Array
  /** How many of the last tokens the answer decides too: articles that agree with it. */
  readonly lead: number
  /** The right next token. */
  readonly answer: number
  /** Wrong answers of the same kind; for `indirect-object` the giver, for `pronoun` the other gender's. */
  readonly distractors: Int32Array
  /** language, register, form (`lives/2`), and for facts: fact (the id of world.ts) and relation. */
  readonly strata: Readonly<Record<string, string>>
}

/** Cuts a sentence before the word at `cut`. */
function promptOf(
  words: readonly Word[],
  cut: number,
  rest: Pick<Prompt, 'id' | 'kind' | 'strata'> & { distractors: readonly string[] },
): Prompt {
  let lead = 0
  while (words[cut - 1 - lead]?.slot === 'article') lead++
  const shown = words.slice(0, cut).map(word => word.text)
  const answer = words[cut]!.text
  return {
    ...rest,
    text: shown.join(' '),
    tokens: Int32Array.from(shown, tokenOf),
    lead,
    answer: tokenOf(answer),
    distractors: Int32Array.from(new Set(rest.distractors.filter(word => word !== answer)), tokenOf),
  }
}

/** Words of a form after an opener of the register (drawn by the random stream). */
function sentenceWords(
  form: string,
  kind: Kind,
  bindings: Bindings,
  language: Language,
  register: Register,
  random: Random,
): Word[] {
  const possible = openers[language][register]
  const opener = possible.length > 0 ? random.pick(possible) : undefined
  return inRegister(renderForm(form, kind, bindings, { language }), opener, register, kind)
}

/** Every fact in every form of every language, in the registers asked for (default: all four). */
export function factPrompts(options: { registers?: readonly Register[] } = {}): Prompt[] {
  const random = new Random('toyworld', 'prompts', 'fact')
  const prompts: Prompt[] = []
  for (const register of options.registers ?? registers)
    for (const language of languages)
      for (const fact of facts)
        factForms[language][fact.relation].forEach((form, number) => {
          const { relation, person, subject: country, object } = fact
          const bindings = person ? { person, object, relation } : { country, object, relation }
          const words = sentenceWords(form, 'fact', bindings, language, register, random)
          const gender = person?.gender ?? 'male'
          prompts.push(
            promptOf(
              words,
              words.findIndex(word => word.slot === 'O'),
              {
                id: `fact/${fact.id}/${language}/${register}/${number}`,
                kind: 'fact',
                strata: { language, register, form: `${relation}/${number}`, fact: fact.id, relation },
                distractors: objectsOf[relation].map(noun => noun.words[language][gender]),
              },
            ),
          )
        })
  return prompts
}

/** Random prompts of one of the other kinds, spread evenly over languages, registers and forms. */
function otherPrompts(
  kind: 'indirect-object' | 'pronoun' | 'induction',
  { seed, prompts }: { seed: number; prompts: number },
): Prompt[] {
  const random = new Random('toyworld', 'prompts', kind, seed)
  return Array.from({ length: prompts }, (_, i) => {
    const language = languages[i % languages.length]!
    const register = registers[Math.floor(i / languages.length) % registers.length]!
    const forms = otherForms[language][kind]
    const number = Math.floor(i / (languages.length * registers.length)) % forms.length
    const { bindings, distractors } = drawBindings(kind, language, random)
    const words = sentenceWords(forms[number]!, kind, bindings, language, register, random)
    const slot = { 'indirect-object': 'R', pronoun: 'P', induction: 'again' }[kind]
    const first = words.findIndex(word => word.slot === slot)
    // The copy's own first word shows the model that a copy has begun; any later one may be asked for.
    const cut = kind === 'induction' ? first + 1 + random.int(bindings.sequence!.length - 1) : first
    return promptOf(words, cut, {
      id: `${kind}/${seed}/${i}`,
      kind,
      strata: { language, register, form: `${kind}/${number}` },
      distractors,
    })
  })
}

function drawBindings(kind: Kind, language: Language, random: Random): { bindings: Bindings; distractors: string[] } {
  if (kind === 'induction')
    return { bindings: { sequence: random.sample(nonsense, 4 + random.int(5)) }, distractors: [...nonsense] }
  if (kind === 'pronoun') {
    const person = random.pick(people)
    return { bindings: { person }, distractors: pronounWords(language) }
  }
  const pair = random.sample(people, 2) as [Person, Person]
  const giver = random.pick(pair)
  const receiver = giver === pair[0] ? pair[1] : pair[0]
  const bindings = { pair, giver, receiver, venue: random.pick(venues), thing: random.pick(things) }
  return { bindings, distractors: [giver.name] }
}

const pronounWords = (language: Language): string[] =>
  ['female', 'male'].map(gender => {
    const person = people.find(candidate => candidate.gender === gender)!
    return renderForm('{P}', 'pronoun', { person }, { language })[0]!.text
  })

/** Two people, one gives: who receives? Names, venues, things and who gives are random. */
export const indirectObjectPrompts = (options: { seed: number; prompts: number }): Prompt[] =>
  otherPrompts('indirect-object', options)

/** A person by name, then their pronoun. */
export const pronounPrompts = (options: { seed: number; prompts: number }): Prompt[] => otherPrompts('pronoun', options)

/** A random sequence of nonsense words and part of its copy: how does it go on? */
export const inductionPrompts = (options: { seed: number; prompts: number }): Prompt[] =>
  otherPrompts('induction', options)
