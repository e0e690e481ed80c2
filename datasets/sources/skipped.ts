/** Documents that cannot be used: each is left out and counted, and too many of them are an error. */
import { UserError } from '../../core/errors.ts'

/** How many documents were left out, and why. */
export interface Skipped {
  readonly reason: string
  readonly count: number
}

/** Where a document is: a line of a file, or what it is called. */
export type Place = { readonly file: string; readonly line: number } | { readonly name: string }

/** A place as messages name it. */
export const named = (place: Place) => ('line' in place ? `${place.file} line ${place.line}` : place.name)

/** Why one document cannot be used. `message` says it in a sentence. */
export class DocumentProblem extends UserError {
  /** A few words by which documents are counted: `not JSON`, `no language`. */
  readonly reason: string
  readonly place: Place

  constructor(reason: string, place: Place, message: string, options: { fix?: string; cause?: unknown } = {}) {
    super(message, options)
    this.reason = reason
    this.place = place
  }
}

/** Places that an error or a note names. */
const namedPlaces = 5

/** Counts what is left out of a dataset; of the documents only those are kept that messages name. */
export class SkipLog {
  private readonly first: DocumentProblem[] = []
  private readonly found = new Map<string, number>()
  private total = 0

  add(problem: DocumentProblem): void {
    if (this.first.length < namedPlaces) this.first.push(problem)
    this.found.set(problem.reason, (this.found.get(problem.reason) ?? 0) + 1)
    this.total++
  }

  /** What this log and a later one say together. */
  with(later: SkipLog): SkipLog {
    const both = new SkipLog()
    both.first.push(...[...this.first, ...later.first].slice(0, namedPlaces))
    both.total = this.total + later.total
    for (const { found } of [this, later])
      for (const [reason, count] of found) both.found.set(reason, (both.found.get(reason) ?? 0) + count)
    return both
  }

  get counts(): readonly Skipped[] {
    return [...this.found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([reason, count]) => ({ reason, count }))
  }

  /** A line for the person, or undefined where all documents are used. */
  note(): string | undefined {
    if (this.total === 0) return undefined
    return `Left out ${this.summary()}.`
  }

  /** Throws the first problem, with the number and places of all, where more than `share` of `documents` have one. */
  check(documents: number, share: number): void {
    const first = this.first[0]
    if (!first || this.total <= share * documents) return
    const all = `Of ${documents} documents ${this.total} cannot be used: ${this.summary()}.`
    const raise = `raise dataset.maxSkipped (${share}) to leave such documents out`
    throw new UserError(this.total > 1 ? `${first.message} ${all}` : first.message, {
      fix: first.fix ? `${first.fix.replace(/\.$/, '')}; or ${raise}.` : `Mend the text, or ${raise}.`,
      cause: first,
    })
  }

  private summary(): string {
    const reasons = this.counts.map(({ reason, count }) => `${count} with ${reason}`).join(', ')
    return `${reasons} (${placesOf(this.first)}${this.total > this.first.length ? ' …' : ''})`
  }
}

/** Places in a row: each file once, with its lines. */
function placesOf(found: readonly DocumentProblem[]): string {
  const groups: { file: string; text: string }[] = []
  for (const { place } of found) {
    const last = groups.at(-1)
    if (!('line' in place)) groups.push({ file: '', text: place.name })
    else if (last?.file === place.file) last.text += `, ${place.line}`
    else groups.push({ file: place.file, text: `${place.file} line ${place.line}` })
  }
  return groups.map(({ text }) => text).join('; ')
}
