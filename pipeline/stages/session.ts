/** What whoever starts a stage gives it besides its config: a command, a schedule, a worker or a server. */
import type { Progress } from '../../core/progress.ts'

export interface Session {
  readonly progress: Progress
  /** Aborted when the work is to stop where it can go on later. */
  readonly signal: AbortSignal
  readonly now: () => Date
  /** Asks the person a question of yes or no; absent where nobody is there to answer. */
  readonly ask?: ((question: string) => Promise<boolean>) | undefined
}
