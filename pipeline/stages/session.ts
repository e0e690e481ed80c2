/** What whoever starts a stage gives it besides its config: a command, a schedule, a worker or a server. */
import type { Progress } from '../../core/progress.ts'
import type { Parts } from '../../objects/parts.ts'
import type { Stage, StageConfig } from './stage.ts'

/** A stage's work that is to be shared among processes: all units are to be done whose parts are not there. */
export interface SharedWork {
  readonly stage: Stage
  readonly config: StageConfig
  readonly parts: Parts
}

export interface Session {
  /** Has units of work done by other processes; without it the process that was started does all of it. */
  readonly crew?: (work: SharedWork) => Promise<void>
  readonly progress: Progress
  /** Aborted when the work is to stop where it can go on later. */
  readonly signal: AbortSignal
  readonly now: () => Date
}
