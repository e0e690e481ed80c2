/** Long loops that let timers and signals in, such as Ctrl-C. */
import type { PassStep } from './passes.ts'
import { breathe } from './stage.ts'

/** Milliseconds that a loop holds the event loop at the most, where one value takes less. */
const longest = 100

/** The pauses of a loop of many short steps: `if (pace.isDue()) await pace.rest()` between two of them costs next to nothing. */
export class Pace {
  readonly #stop: () => void
  #since = performance.now()

  /** `stop` is called in each pause, and throws where the work is to end. */
  constructor(stop: () => void = () => {}) {
    this.#stop = stop
  }

  /** Whether a tenth of a second has passed since the last pause. */
  isDue(): boolean {
    return performance.now() - this.#since >= longest
  }

  /** A pause, in which timers and signals are heard. */
  async rest(): Promise<void> {
    await breathe()
    this.#stop()
    this.#since = performance.now()
  }
}

/** The values, with a pause between two of them whenever it is due; `stop` is called in each with how many were given before. */
export async function* paced<T>(values: Iterable<T>, stop: PassStep = () => {}): AsyncGenerator<T> {
  let done = 0
  const pace = new Pace(() => stop(done))
  for (const value of values) {
    if (pace.isDue()) await pace.rest()
    done++
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
  paced(stop?: PassStep): AsyncIterable<T>
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
