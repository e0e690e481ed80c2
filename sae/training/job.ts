/** What training is asked for: an SAE, and the run that it goes to. */
import { FaultError, InterruptedError, UserError } from '../../core/errors.ts'
import type { StageContext } from '../../core/stage.ts'
import type { TrainConfig } from './config.ts'
import { DivergedError } from './diverged.ts'
import { NotFiniteError } from './finite.ts'
import type { FidelityProbe, TrainSummary } from './training.ts'

/** An SAE to train, and the run it goes to. */
export interface TrainJob {
  readonly context: StageContext
  readonly config: TrainConfig
  /** How errors and progress call it where there are several. */
  readonly label?: string
  /** Called as soon as its files are whole, when others may still be trained. */
  finished?(summary: TrainSummary): Promise<void>
}

export interface TrainOptions {
  /** Gives what measures an SAE at a site within its model; needed where a config asks for `fidelity`. */
  fidelity?(site: string): Promise<FidelityProbe>
}

/** Does a job's work; a `UserError` names the job where it has a name. */
export async function named<T>({ label }: TrainJob, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const users = error instanceof UserError && !(error instanceof InterruptedError || error instanceof FaultError)
    // Rows are those of all SAEs of a pass.
    if (label === undefined || !users || error instanceof NotFiniteError) throw error
    const Kind = error instanceof DivergedError ? DivergedError : UserError
    throw new Kind(`SAE ${label}: ${error.message}`, { ...(error.fix ? { fix: error.fix } : {}), cause: error })
  }
}
