/**
 * Texts of toyworld: a few sentences in one language and register, about one kind of thing for the most part.
 *
 * Equal seed and index give the equal document on every machine; the world behind all of them is the same (world.ts).
 */
import { Random } from '../../core/random.ts'
import type { Document } from '../document.ts'
import { Choices } from './choices.ts'
import { closers, factForms, type Kind, kinds, openers, otherForms, relations } from './grammar.ts'
import {
  feelings,
  judgements,
  type Language,
  languages,
  matters,
  nonsense,
  type Person,
  people,
  type Register,
  registers,
  things,
  venues,
} from './lexicon.ts'
import { type Bindings, type Discourse, renderForm, type Word } from './sentence.ts'
import { tokenOf } from './vocabulary.ts'
import { factOf, facts } from './world.ts'

/** Longest document in tokens (BOS apart): the longest target, plus a longest sentence that started just below it. */
export const longestDocument = 80

const themes = [...kinds, 'mixed'] as const
const themeWeights = [0.35, 0.15, 0.15, 0.1, 0.1, 0.15]
/** How likely each kind is in a mixed text. */
const mixture = [0.4, 0.2, 0.15, 0.15, 0.1]
/** A text ends with the first sentence that reaches its target, in tokens. */
const targets = [20, 40, 56]
const relationWeights = [0.22, 0.22, 0.22, 0.22, 0.12]

/** How likely a theme makes each kind. */
function kindWeights(theme: (typeof themes)[number]): number[] {
  return kinds.map((kind, i) => (theme === 'mixed' ? mixture[i]! : 0.4 * mixture[i]! + (kind === theme ? 0.6 : 0)))
}

/** The person of a sentence: often the one just mentioned, and then perhaps by pronoun where the form allows it. */
function choosePerson(
  choices: Choices,
  last: Person | undefined,
  form: string,
): { person: Person; asPronoun: boolean } {
  if (!last) return { person: choices.pick(people), asPronoun: false }
  if (!choices.chance(0.5)) return { person: choices.pick(people.filter(person => person !== last)), asPronoun: false }
  return { person: last, asPronoun: form.includes('{S}') && choices.chance(0.6) }
}

interface Sentence {
  readonly words: readonly Word[]
  /** `kind` or relation, and the number of its form: `lives/2`. */
  readonly template: string
  readonly factId?: string
}

/** How a text is said again: in another language, or in other forms with the same slots, as many on in the grammar's order. */
export interface Retelling {
  readonly language?: Language
  readonly paraphrase?: number
}

/** The form that says the same, where the grammar has one that asks for the same choices. */
function retold(forms: readonly string[], form: string, paraphrase: number): string {
  const asks = (of: string) => `${of.includes('{S}')} ${of.includes('{!judge}')}`
  const alike = forms.filter(other => asks(other) === asks(form))
  return alike[(alike.indexOf(form) + paraphrase) % alike.length]!
}

function factSentence(choices: Choices, discourse: Discourse, paraphrase: number): Sentence {
  const relation = choices.hidden(relations, relationWeights)
  choices.nats -= Math.log(relationWeights[relations.indexOf(relation)]!)
  const forms = factForms[discourse.language][relation]
  const form = retold(forms, choices.pick(forms), paraphrase)
  const template = `${relation}/${forms.indexOf(form)}`
  if (relation === 'capital') {
    const { id, subject, object } = choices.pick(facts.filter(fact => fact.relation === 'capital'))
    return { words: renderForm(form, 'fact', { country: subject, object, relation }, discourse), template, factId: id }
  }
  const subject = choosePerson(choices, discourse.lastPerson, form)
  const { id, object } = factOf(relation, subject.person.name)
  return { words: renderForm(form, 'fact', { ...subject, object, relation }, discourse), template, factId: id }
}

function bind(kind: Exclude<Kind, 'fact'>, form: string, choices: Choices, discourse: Discourse): Bindings {
  switch (kind) {
    case 'feeling': {
      const feeling = choices.pick(feelings)
      const same = !form.includes('{!judge}')
      const judgement = choices.pick(judgements.filter(word => (word.valence === feeling.valence) === same))
      return { ...choosePerson(choices, discourse.lastPerson, form), matter: choices.pick(matters), feeling, judgement }
    }
    case 'indirect-object': {
      const pair = choices.sample(people, 2) as [Person, Person]
      const giver = choices.pick(pair)
      const receiver = giver === pair[0] ? pair[1] : pair[0]
      return { pair, giver, receiver, venue: choices.pick(venues), thing: choices.pick(things) }
    }
    case 'pronoun':
      return choosePerson(choices, discourse.lastPerson, form)
    case 'induction':
      return { sequence: choices.sample(nonsense, choices.pick([4, 5, 6, 7, 8])) }
  }
}

function sentence(kind: Kind, choices: Choices, discourse: Discourse, paraphrase: number): Sentence {
  if (kind === 'fact') return factSentence(choices, discourse, paraphrase)
  const forms = otherForms[discourse.language][kind]
  const form = retold(forms, choices.pick(forms), paraphrase)
  const words = renderForm(form, kind, bind(kind, form, choices, discourse), discourse)
  return { words, template: `${kind}/${forms.indexOf(form)}` }
}

/** A sentence's words with its register's opener and closer around them. */
export function inRegister(
  words: readonly Word[],
  opener: string | undefined,
  register: Register,
  kind: Kind,
  last: { before?: Person | undefined; after?: Person | undefined } = {},
): Word[] {
  const mark = (text: string, person: Person | undefined): Word => ({
    text,
    concepts: [`kind=${kind}`, ...(person ? [`last-person=${person.gender}`] : [])],
  })
  return [
    ...(opener?.split(' ') ?? []).map(text => mark(text, last.before)),
    ...words,
    mark(closers[register], last.after),
  ]
}

/** Lists of concepts, by their names: there are few, and every token has one. */
const conceptLists = new Map<string, readonly string[]>()

/** The one list with these names. */
function shared(concepts: readonly string[]): readonly string[] {
  const key = concepts.join('\n')
  const known = conceptLists.get(key)
  if (known) return known
  conceptLists.set(key, concepts)
  return concepts
}

/**
 * A document and its information in nats, given that documents are drawn by this generator. Retold it makes the same choices
 * of people, facts, kinds and register, up to its length.
 */
export function toyworldDocument(
  seed: number,
  index: number,
  { language: other, paraphrase = 0 }: Retelling = {},
): { document: Document; nats: number } {
  const choices = new Choices(new Random('toyworld', 'text', seed, index))
  const drawn = choices.pick(languages)
  const language = other ?? drawn
  const register = choices.pick(registers)
  const theme = choices.hidden(themes, themeWeights)
  const target = choices.hidden(targets)
  const second = choices.chance(0.06) ? choices.pick(languages.filter(other => other !== language)) : undefined

  const weights = kindWeights(theme)
  const made: Kind[] = []
  const tokens: number[] = []
  const tokenConcepts: (readonly string[])[] = []
  const text: string[] = []
  let opening: Sentence | undefined
  let before = 0
  const state: { lastPerson?: Person | undefined } = {}
  while (tokens.length < target) {
    before = tokens.length
    const spoken: Language = second && made.length > 0 ? second : language
    // The opening sentence shows the theme; the later ones mostly keep to it.
    const kind = made.length === 0 && theme !== 'mixed' ? theme : choices.hidden(kinds, weights)
    const discourse: Discourse = { language: spoken, lastPerson: state.lastPerson }
    const possible = openers[spoken][register]
    const opener =
      possible.length > 0 && (made.length === 0 || choices.chance(0.5)) ? choices.pick(possible) : undefined
    const body = sentence(kind, choices, discourse, paraphrase)
    const words = inRegister(body.words, opener, register, kind, {
      before: state.lastPerson,
      after: discourse.lastPerson,
    })
    for (const word of words) {
      text.push(word.text)
      tokens.push(tokenOf(word.text))
      tokenConcepts.push(shared([`language=${spoken}`, `register=${register}`, ...word.concepts]))
    }
    state.lastPerson = discourse.lastPerson
    opening ??= body
    made.push(kind)
  }
  const document: Document = {
    id: `toyworld-${seed}-${index}`,
    text: text.join(' '),
    tokens: Int32Array.from(tokens),
    strata: {
      source: 'toyworld',
      language,
      register,
      kind: theme,
      template: opening!.template,
      factId: opening!.factId ?? 'none',
    },
    tokenConcepts,
  }
  return { document, nats: choices.nats + hiddenNats(made, before, tokens.length) }
}

/** Information of what a text shows only in part: the kinds its theme made, and where its target ended it. */
function hiddenNats(made: readonly Kind[], before: number, length: number): number {
  const likelihood = themes.reduce((sum, theme, i) => {
    const weights = kindWeights(theme)
    return (
      sum +
      themeWeights[i]! *
        made.reduce((p, kind, j) => {
          const opens = j === 0 && theme !== 'mixed'
          return p * (opens ? (kind === theme ? 1 : 0) : weights[kinds.indexOf(kind)]!)
        }, 1)
    )
  }, 0)
  const ending = targets.filter(target => before < target && target <= length).length / targets.length
  return -Math.log(likelihood) - Math.log(ending)
}
