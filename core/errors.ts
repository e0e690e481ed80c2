/** Errors that are sentences for the person who reads them; the exit code of each kind is design §5's. */

/** Bad input or a wrong option: printed without a stack, exit code 1. `fix` says what repairs it. */
export class UserError extends Error {
  readonly exitCode: number = 1
  readonly fix: string | undefined

  constructor(message: string, options: { fix?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.fix = options.fix
  }
}

/** What was asked for by name or id is not there. */
export class NotThereError extends UserError {}

/** A fault of the surroundings that may pass, such as a full disk or no network: exit code 75. */
export class FaultError extends UserError {
  override readonly exitCode: number = 75
}

/** Exit code of a run that was interrupted and can be resumed. */
export const interruptedCode = 4

/** The run was interrupted and can be resumed: exit code 4. */
export class InterruptedError extends UserError {
  override readonly exitCode: number = interruptedCode
}

/** What the work has read so far turned out to be damaged, so that nothing of it may be kept: exit code 1. */
export class SpoiltError extends UserError {}

/** What any thrown value says, for messages that quote another error. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The system's error code (`ENOENT`, `ENOSPC` …) where the thrown value has one. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
