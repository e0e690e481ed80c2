/** How much of a dataset is read between two looks for Ctrl-C, for tests: each test that makes one has a clock on which every pause is due. */
import { onTestFinished, vi } from 'vitest'
import { ReadSequence, type Sequence } from '../core/sequence.ts'
import type { TokenDataset } from './document.ts'

/** Counts reads of windows and documents, and calls of `stop`. */
export class Looks {
  /** Windows and documents that were read, and the most of them between two looks. */
  reads = 0
  longest = 0
  #since = 0
  #left: number

  /** `stop` throws after so many looks; default: never. */
  constructor(looks = Number.POSITIVE_INFINITY) {
    this.#left = looks
    let now = 0
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 1000))
    onTestFinished(() => void clock.mockRestore())
  }

  /** The dataset, of which every read is counted. */
  at(dataset: TokenDataset): TokenDataset {
    return { ...dataset, windows: this.#counted(dataset.windows), documents: this.#counted(dataset.documents) }
  }

  readonly stop = (): void => {
    this.#since = 0
    if (this.#left-- <= 0) throw new Error('told to stop')
  }

  #counted<T>(values: Sequence<T>): Sequence<T> {
    return new ReadSequence(values.length, place => {
      this.reads++
      this.longest = Math.max(this.longest, ++this.#since)
      return values.at(place)!
    })
  }
}
