/** Ctrl-C: the first asks the work to stop where it can go on later, the second ends it at once. */

/** Exit code of a run that was interrupted and can be resumed. */
export const interruptedCode = 4

/**
 * A signal that aborts on the first SIGINT or SIGTERM. A second SIGINT ends the process; since every file is whole or
 * absent at any moment, that too leaves a resumable run.
 */
export function interruptSignal(tell: (line: string) => void): AbortSignal {
  const controller = new AbortController()
  process.on('SIGINT', () => {
    if (controller.signal.aborted) process.exit(interruptedCode)
    // A stage that `pipeline run` started leaves the telling to it.
    if (!process.channel) tell('Stopping where it can go on later. Ctrl-C again stops at once.')
    controller.abort()
  })
  process.on('SIGTERM', () => controller.abort())
  if (process.channel) {
    // Started by `pipeline run`: when that was killed, nobody waits for this stage any more.
    process.on('disconnect', () => process.exit(interruptedCode))
    process.channel.unref()
  }
  return controller.signal
}
