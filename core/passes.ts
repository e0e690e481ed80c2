/** Passes over much text, of which a person is told where they take long. */
import { type Progress, silent } from './progress.ts'

/** A pass that takes fewer milliseconds is not worth a line. */
const longMilliseconds = 2000

/** What a pass calls from time to time with how much of it is done; throws where the work is to end. */
export type PassStep = (done: number) => void

/** Passes, one after the other. */
export class Passes {
  /** For work that cannot tell how far it is: throws where that is to end. */
  readonly stop: () => void
  readonly #progress: Progress
  #isTold = false

  /** `stop` throws where the work is to end. */
  constructor(progress: Progress = silent, stop: () => void = () => {}) {
    this.#progress = progress
    this.stop = stop
  }

  /** Begins a pass over so many of something (`windows`, `documents`), and ends the one before. */
  over(total: number, unit: string, task: string): PassStep {
    this.end()
    const begun = performance.now()
    return done => {
      this.stop()
      const ago = performance.now() - begun
      if (!this.#isTold && ago < longMilliseconds) return
      if (!this.#isTold) this.#progress.start(task, total, unit, ago / 1000)
      this.#isTold = true
      this.#progress.update(done)
    }
  }

  /** Ends the last pass. */
  end(): void {
    if (this.#isTold) this.#progress.finish()
    this.#isTold = false
  }
}
