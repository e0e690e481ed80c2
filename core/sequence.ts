/** Lists that may be longer than memory: what an array has in common with one whose values are read when they are asked for. */
import { paced } from './pace.ts'

/** Values in an order. An array is one; code that takes a sequence does not ask where its values lie. */
export interface Sequence<T> extends Iterable<T> {
  readonly length: number
  /** The value at a place from 0 on; undefined beyond the last. */
  at(place: number): T | undefined
  entries(): IterableIterator<[number, T]>
  some(test: (value: T, place: number) => boolean): boolean
  forEach(use: (value: T, place: number) => void): void
  reduce<U>(step: (so: U, value: T) => U, start: U): U
  /** These three give arrays, which are held in memory. */
  map<U>(of: (value: T, place: number) => U): U[]
  flatMap<U>(of: (value: T, place: number) => readonly U[]): U[]
  filter(test: (value: T, place: number) => boolean): T[]
}

/** A sequence whose values are made when they are asked for, and anew each time. */
export class ReadSequence<T> implements Sequence<T> {
  readonly length: number
  readonly #read: (place: number) => T

  /** `read` gives the value at each place below `length`. */
  constructor(length: number, read: (place: number) => T) {
    this.length = length
    this.#read = read
  }

  at(place: number): T | undefined {
    return place >= 0 && place < this.length ? this.#read(place) : undefined
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (let place = 0; place < this.length; place++) yield this.#read(place)
  }

  *entries(): IterableIterator<[number, T]> {
    for (let place = 0; place < this.length; place++) yield [place, this.#read(place)]
  }

  some(test: (value: T, place: number) => boolean): boolean {
    for (const [place, value] of this.entries()) if (test(value, place)) return true
    return false
  }

  forEach(use: (value: T, place: number) => void): void {
    for (const [place, value] of this.entries()) use(value, place)
  }

  reduce<U>(step: (so: U, value: T) => U, start: U): U {
    let so = start
    for (const value of this) so = step(so, value)
    return so
  }

  map<U>(of: (value: T, place: number) => U): U[] {
    return Array.from(this, of)
  }

  flatMap<U>(of: (value: T, place: number) => readonly U[]): U[] {
    const all: U[] = []
    for (const [place, value] of this.entries()) all.push(...of(value, place))
    return all
  }

  filter(test: (value: T, place: number) => boolean): T[] {
    const kept: T[] = []
    for (const [place, value] of this.entries()) if (test(value, place)) kept.push(value)
    return kept
  }
}

/**
 * Those values that pass a test: an array of an array; of another sequence the places are kept, 4 bytes each. `stop` is called
 * from time to time, and throws where the work is to end.
 */
export async function pick<T>(
  values: Sequence<T>,
  test: (value: T) => boolean,
  stop?: () => void,
): Promise<Sequence<T>> {
  const places = new Uint32Array(values.length)
  let count = 0
  for await (const [place, value] of paced(values.entries(), stop)) if (test(value)) places[count++] = place
  if (Array.isArray(values)) return Array.from(places.subarray(0, count), place => values[place] as T)
  return new ReadSequence(count, i => values.at(places[i]!)!)
}

/** Whether any value passes a test; `stop` as of `pick`. */
export async function hasAny<T>(values: Iterable<T>, test: (value: T) => boolean, stop?: () => void): Promise<boolean> {
  for await (const value of paced(values, stop)) if (test(value)) return true
  return false
}

/** What `of` makes of each value: an array of an array; of another sequence each is made when it is asked for. */
export function mapped<T, U>(values: Sequence<T>, of: (value: T) => U): Sequence<U> {
  return Array.isArray(values) ? values.map(of) : new ReadSequence(values.length, place => of(values.at(place)!))
}

/** The values of one sequence, and behind them those of another; they stay where they are. */
export function joined<T>(first: Sequence<T>, second: Sequence<T>): Sequence<T> {
  const { length } = first
  return new ReadSequence(length + second.length, place =>
    place < length ? first.at(place)! : second.at(place - length)!,
  )
}
