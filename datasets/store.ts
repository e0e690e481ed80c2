/**
 * The documents of a dataset with their tokens, as they come from the tokenizer: what is beyond some megabytes lies in
 * temporary files (`core/spill.ts`), 16 bytes a document beside its tokens (4 bytes each) and the JSON of what is known of it.
 */
import { createHash } from 'node:crypto'
import { canonicalJson } from '../core/hash.ts'
import { ReadSequence, type Sequence } from '../core/sequence.ts'
import { Spill, SpilledNumbers } from '../core/spill.ts'
import type { Document, DocumentFacts } from './document.ts'

/** Documents that are remembered once they were read: as many places, each for the last one whose number falls on it. */
const remembered = 1024

/** Takes documents one after the other; afterwards they are read at any place. */
export class DocumentStore {
  readonly #facts: Spill
  readonly #factEnds: SpilledNumbers
  readonly #tokens: Spill
  readonly #tokenEnds: SpilledNumbers
  readonly #hash = createHash('sha256')
  readonly #concepts = new Set<string>()
  /** Values by field of the strata. */
  readonly #strata = new Map<string, Set<string>>()
  readonly #known: { readonly place: number; readonly facts: DocumentFacts }[] = []

  /** About so many bytes at most stay in memory; default: those of four spills. */
  constructor(held?: number) {
    const share = held === undefined ? undefined : held / 4
    this.#facts = new Spill(share)
    this.#factEnds = new SpilledNumbers(share)
    this.#tokens = new Spill(share)
    this.#tokenEnds = new SpilledNumbers(share)
  }

  get count(): number {
    return this.#tokenEnds.length
  }

  /** Tokens of all documents together. */
  get tokenCount(): number {
    return this.#tokens.length / 4
  }

  /** Adds a document with the tokens it was given. */
  add({ tokens: _, ...document }: Document, tokens: Int32Array): void {
    const bytes = new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength)
    this.#hash.update(`${canonicalJson({ ...document, tokens: tokens.length })}\n`)
    this.#hash.update(bytes)
    const { text: __, ...facts } = document
    this.#facts.append(Buffer.from(JSON.stringify(facts)))
    this.#factEnds.push(this.#facts.length)
    this.#tokens.append(bytes)
    this.#tokenEnds.push(this.#tokens.length)
    for (const name of facts.concepts ?? []) this.#concepts.add(name)
    for (const own of facts.tokenConcepts ?? []) for (const name of own) this.#concepts.add(name)
    for (const [field, value] of Object.entries(facts.strata)) {
      const values = this.#strata.get(field)
      if (values) values.add(value)
      else this.#strata.set(field, new Set([value]))
    }
  }

  /** sha256 of the documents and of the tokens that they were given. Nothing can be added afterwards. */
  hash(): string {
    return this.#hash.digest('hex')
  }

  /** Names of all concepts, sorted; strata fields count as `field=value`. */
  concepts(): string[] {
    const ofStrata = [...this.#strata].flatMap(([field, values]) => Array.from(values, value => `${field}=${value}`))
    return [...new Set([...this.#concepts, ...ofStrata])].sort()
  }

  /** The values of each field of the strata, in the order in which they were met. */
  get strata(): ReadonlyMap<string, ReadonlySet<string>> {
    return this.#strata
  }

  /** What is known of each document. */
  documents(): Sequence<DocumentFacts> {
    return new ReadSequence(this.count, place => this.#document(place))
  }

  /** How many tokens a document has. */
  lengthOf(place: number): number {
    return (this.#tokenEnds.at(place) - this.#startOf(place)) / 4
  }

  /** Tokens of a document from one place to another. */
  tokensOf(place: number, from: number, to: number): Int32Array {
    const start = this.#startOf(place)
    return new Int32Array(this.#tokens.read(start + 4 * from, start + 4 * to).buffer)
  }

  #startOf(place: number): number {
    return place === 0 ? 0 : this.#tokenEnds.at(place - 1)
  }

  #document(place: number): DocumentFacts {
    const known = this.#known[place % remembered]
    if (known?.place === place) return known.facts
    const start = place === 0 ? 0 : this.#factEnds.at(place - 1)
    const json = Buffer.from(this.#facts.read(start, this.#factEnds.at(place)).buffer).toString('utf8')
    const facts = JSON.parse(json) as DocumentFacts
    this.#known[place % remembered] = { place, facts }
    return facts
  }
}
