/** The program of a worker process. */

import { dieWithParent } from '../../core/orphan.ts'
import { silent } from '../../core/progress.ts'
import { answering } from './answer.ts'
import type { Request } from './messages.ts'

dieWithParent()
process.on('disconnect', () => process.exit(4))
const controller = new AbortController()
process.on('SIGTERM', () => controller.abort())
// On a terminal Ctrl-C reaches every process; the one that was started by a person decides what it means.
process.on('SIGINT', () => {})

const answer = answering({
  progress: { ...silent, note: line => process.stderr.write(`${line}\n`) },
  signal: controller.signal,
  now: () => new Date(),
})
let turn: Promise<void> = Promise.resolve()
process.on('message', (request: Request) => {
  turn = turn.then(async () => {
    const reply = await answer(request)
    if (process.connected) process.send!(reply)
  })
})
