/** What every stage is given: where to write, from which seed, whom to tell, and when to stop. */
import type { Progress } from './progress.ts'

/** The file by which a folder is a run: its manifest. */
export const manifestName = 'run.json'

/** The metrics stream of a run (`metrics.jsonl`): a line a record. */
export interface Metrics {
  /** Adds a record. Records hold no wall-clock values, so that equal runs have equal bytes. */
  append(record: Readonly<Record<string, unknown>>): void
  /** Lines so far; a checkpoint stores it. */
  readonly lines: number
  /** Drops every line after the first `lines`: a resumed stage goes back to its checkpoint. */
  truncate(lines: number): void
}

/** The surroundings of a stage; nothing in a stage's files may depend on anything else but its config and inputs. */
export interface StageContext {
  /** The run's directory. After a crash the stage is called again with the same one and finishes the same bytes. */
  readonly directory: string
  readonly seed: number
  readonly progress: Progress
  /** Aborted on Ctrl-C: the stage stops at the next safe point and throws `InterruptedError`. */
  readonly signal: AbortSignal
  readonly metrics: Metrics
  /** Takes measurements of time, which may differ between equal runs: they are kept apart from the stage's files. */
  timing?(facts: Readonly<Record<string, number>>): void
}

/**
 * Lets timers and signals in, such as Ctrl-C. Tensor work holds the event loop, and awaiting what is done already does
 * not let go of it, so long work calls this between its pieces.
 */
export function breathe(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

/** Metrics kept in memory, for tests and callers without a run. */
export function memoryMetrics(): Metrics & { readonly records: Readonly<Record<string, unknown>>[] } {
  const records: Readonly<Record<string, unknown>>[] = []
  return {
    records,
    get lines() {
      return records.length
    },
    append(record) {
      records.push(record)
    },
    truncate(lines) {
      records.length = Math.min(records.length, lines)
    },
  }
}
