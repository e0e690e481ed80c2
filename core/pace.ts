/** Long loops that let timers and signals in, such as Ctrl-C. */
import { breathe } from './stage.ts'

/** Milliseconds that a loop holds the event loop at the most, where one value takes less. */
const longest = 100

/**
 * The values, with a pause between two of them whenever a tenth of a second has passed, in which timers and signals are heard;
 * `stop` is called then, and throws where the work is to end.
 */
export async function* paced<T>(values: Iterable<T>, stop: () => void = () => {}): AsyncGenerator<T> {
  let since = performance.now()
  for (const value of values) {
    if (performance.now() - since >= longest) {
      await breathe()
      stop()
      since = performance.now()
    }
    yield value
  }
}

/** The numbers from 0 to below `count`. */
export function* upTo(count: number): Generator<number> {
  for (let i = 0; i < count; i++) yield i
}

/** Values of which some were left out, which took their time as well. */
export interface Sifted<T> extends Iterable<T> {
  /** The same with pauses, between those that are left out too; see `paced`. */
  paced(stop?: () => void): AsyncIterable<T>
}

/** What is not undefined of values that are read anew each time. */
export function sifted<T>(values: () => Iterable<T | undefined>): Sifted<T> {
  return {
    *[Symbol.iterator]() {
      for (const value of values()) if (value !== undefined) yield value
    },
    async *paced(stop) {
      for await (const value of paced(values(), stop)) if (value !== undefined) yield value
    },
  }
}
