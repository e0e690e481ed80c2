/**
 * The facts of toyworld: who lives where, works as what, likes and plays what, and which city is a country's capital.
 *
 * Drawn once from a constant seed: every text of every seed is about this one world. Objects are dealt out evenly, so
 * that a guess by frequency, position or gender is right no more often than chance.
 */
import { Random } from '../../core/random.ts'
import type { Relation } from './grammar.ts'
import { cities, countries, foods, instruments, type Noun, occupations, type Person, people } from './lexicon.ts'

export interface Fact {
  /** `relation:subject`, e.g. `likes:Mary`. */
  readonly id: string
  readonly relation: Relation
  readonly subject: string
  /** Set where the subject is a person. */
  readonly person?: Person
  readonly object: Noun
}

const deal = (relation: Relation, subjects: readonly string[], objects: readonly Noun[]): Noun[] => {
  const random = new Random('toyworld', relation)
  const deck = Array.from({ length: Math.ceil(subjects.length / objects.length) }, () => objects).flat()
  return random.shuffle(deck).slice(0, subjects.length)
}

function personFacts(relation: Relation, objects: readonly Noun[]): Fact[] {
  const names = people.map(person => person.name)
  const dealt = deal(relation, names, objects)
  return people.map((person, i) => ({
    id: `${relation}:${person.name}`,
    relation,
    subject: person.name,
    person,
    object: dealt[i]!,
  }))
}

/** What the objects of a relation can be. */
export const objectsOf: Readonly<Record<Relation, readonly Noun[]>> = {
  lives: cities,
  works: occupations,
  likes: foods,
  plays: instruments,
  capital: cities,
}

/** All 204 facts. */
export const facts: readonly Fact[] = [
  ...personFacts('lives', cities),
  ...personFacts('works', occupations),
  ...personFacts('likes', foods),
  ...personFacts('plays', instruments),
  ...deal('capital', countries, cities).map((object, i) => ({
    id: `capital:${countries[i]!}`,
    relation: 'capital' as const,
    subject: countries[i]!,
    object,
  })),
]

const byId = new Map(facts.map(fact => [fact.id, fact]))

/** The fact of a relation about a subject; throws a plain Error where there is none. */
export function factOf(relation: Relation, subject: string): Fact {
  const fact = byId.get(`${relation}:${subject}`)
  if (!fact) throw new Error(`Toyworld has no fact ${relation}:${subject}.`)
  return fact
}
