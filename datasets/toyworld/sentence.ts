/**
 * From a form and what fills its slots to words with their concepts.
 *
 * Concepts of a token say what is true of it: of the word itself (`food=bread`, `gender=female`), of its sentence
 * (`kind=fact`, and `relation=likes` from the word on that shows it), of the text so far (`last-person=female`,
 * `mood=positive`), or of the word that must follow (`next=food`).
 */
import { articles, type Kind, pronouns } from './grammar.ts'
import type { Adjective, Gender, Language, Noun, Person } from './lexicon.ts'

export interface Word {
  readonly text: string
  readonly concepts: readonly string[]
  /** The slot it fills, without braces: `O`, `R`, `article` … */
  readonly slot?: string
}

/** What fills the slots of a form. */
export interface Bindings {
  /** {N} and {S}: the sentence's person. */
  readonly person?: Person
  /** Whether {S} is their pronoun. */
  readonly asPronoun?: boolean
  readonly country?: string
  readonly object?: Noun
  readonly relation?: string
  readonly pair?: readonly [Person, Person]
  readonly giver?: Person
  readonly receiver?: Person
  readonly venue?: Noun
  readonly thing?: Noun
  readonly matter?: Noun
  readonly feeling?: Adjective
  readonly judgement?: Adjective
  readonly sequence?: readonly string[]
}

/** What a text carries from word to word. */
export interface Discourse {
  readonly language: Language
  lastPerson?: Person | undefined
}

interface Draft {
  text: string
  concepts: string[]
  slot?: string
}

const nounSlot = /^\*?\{(O|venue|thing|matter)\}$/

/** The words of one sentence; moves `discourse.lastPerson` along. */
export function renderForm(form: string, kind: Kind, bindings: Bindings, discourse: Discourse): Word[] {
  const parts = form.split(' ')
  const { language } = discourse
  const words: Draft[] = []
  let relation: string | undefined
  let mood: string | undefined

  const add = (text: string, concepts: readonly string[] = [], slot?: string) => {
    const state = [`kind=${kind}`]
    if (relation) state.push(`relation=${relation}`)
    if (discourse.lastPerson) state.push(`last-person=${discourse.lastPerson.gender}`)
    if (mood) state.push(`mood=${mood}`)
    words.push({ text, concepts: [...concepts, ...state], ...(slot && { slot }) })
  }
  const name = (person: Person, role: string, slot: string) => {
    discourse.lastPerson = person
    add(person.name, [`person=${person.name}`, `gender=${person.gender}`, `role=${role}`], slot)
  }
  const pronoun = (slot: string, shown: string, role: string) => {
    const gender = bindings.person!.gender
    add(pronouns[language][slot]![gender], ['pronoun', `gender=${gender}`, `role=${role}`], shown)
  }
  const adjective = (word: Adjective, feminine: boolean, concept: string, slot: string) => {
    mood = word.valence
    add(word.words[language][feminine ? 1 : 0], [`${concept}=${word.key}`, `valence=${word.valence}`], slot)
  }
  const noun = (value: Noun, slot: string, gender: Gender = 'male') =>
    add(value.words[language][gender], [`${value.kind}=${value.key}`, ...(slot === 'O' ? ['role=object'] : [])], slot)
  const nounOf = (slot: 'O' | 'venue' | 'thing' | 'matter') => (slot === 'O' ? bindings.object : bindings[slot])!

  parts.forEach((part, index) => {
    if (part.startsWith('*')) relation = bindings.relation
    const slot = part.match(/^\*?\{(!?\w+)\}$/)?.[1]
    if (slot) fill(slot, index)
    else add(part.replace('*', ''))
  })

  function fill(slot: string, index: number): void {
    if (slot === 'N' || (slot === 'S' && !bindings.asPronoun)) name(bindings.person!, 'subject', slot)
    else if (slot === 'S') pronoun('P', 'S', 'subject')
    else if (slot === 'A') name(bindings.pair![0], 'mentioned', slot)
    else if (slot === 'B') name(bindings.pair![1], 'mentioned', slot)
    else if (slot === 'G') name(bindings.giver!, 'giver', slot)
    else if (slot === 'R') name(bindings.receiver!, 'receiver', slot)
    else if (slot === 'C') add(bindings.country!, [`country=${bindings.country}`, 'role=subject'], slot)
    else if (slot === 'O') noun(bindings.object!, slot, bindings.person?.gender)
    else if (slot === 'venue' || slot === 'thing' || slot === 'matter') noun(bindings[slot]!, slot)
    else if (slot === 'feel') adjective(bindings.feeling!, bindings.person!.gender === 'female', 'feeling', slot)
    else if (slot === 'judge' || slot === '!judge')
      adjective(bindings.judgement!, bindings.matter!.words[language].gender === 'f', 'judgement', 'judge')
    else if (slot === 'first') for (const word of bindings.sequence!) add(word, ['nonsense'])
    else if (slot === 'again') for (const word of bindings.sequence!) add(word, ['nonsense', 'induction'], slot)
    else if (pronouns[language][slot]) pronoun(slot, slot, 'possessor')
    else agreeing(slot, index)
  }

  function agreeing(slot: string, index: number): void {
    const following = parts.slice(index).find(part => nounSlot.test(part))!
    const { gender } = nounOf(following.match(nounSlot)![1] as 'O' | 'venue' | 'thing' | 'matter').words[language]
    for (const text of articles[language][slot]![gender].split(' ')) add(text, [], 'article')
  }

  words.forEach((word, index) => {
    const next = words[index + 1]
    const expected = next && expectation(next, bindings)
    if (expected) word.concepts.push(`next=${expected}`)
  })
  return words
}

/** What kind of word a context asks for, where the context alone decides which one it is. */
function expectation(word: Draft, bindings: Bindings): string | undefined {
  if (word.slot === 'O') return bindings.object!.kind
  if (word.slot === 'R') return 'receiver'
  if (word.slot === 'P') return 'pronoun'
  return undefined
}
