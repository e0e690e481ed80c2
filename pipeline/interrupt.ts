/** Ctrl-C: the first asks the work to stop where it can go on later, the second ends it at once. */

import { interruptedCode } from '../core/errors.ts'
import { dieWithParent } from '../core/orphan.ts'

/** SIGINT and SIGTERM, caught. */
export interface Interrupts {
  /** Aborts on the first of them. */
  readonly signal: AbortSignal
  /** Tells the person that the work will stop. */
  tell(line: string): void
}

/**
 * Catches SIGINT and SIGTERM from now on. A second SIGINT ends the process; since every file is whole or absent at any
 * moment, that too leaves a resumable run.
 */
export function catchInterrupts(): Interrupts {
  const controller = new AbortController()
  const interrupts: Interrupts = {
    signal: controller.signal,
    tell: line => process.stderr.write(`${line}\n`),
  }
  process.on('SIGINT', () => {
    if (controller.signal.aborted) process.exit(interruptedCode)
    // A stage that `pipeline run` started leaves the telling to it.
    if (!process.channel) interrupts.tell('Stopping where it can go on later. Ctrl-C again stops at once.')
    controller.abort()
  })
  process.on('SIGTERM', () => controller.abort())
  if (process.channel) {
    // Started by `pipeline run`: when that was killed, nobody waits for this stage any more. Tensor work keeps the message
    // from arriving for minutes, which the watching thread does not need.
    dieWithParent()
    process.on('disconnect', () => process.exit(interruptedCode))
    process.channel.unref()
  }
  return interrupts
}
