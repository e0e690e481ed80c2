/** The program of a worker process: does what the process that started it asks for, one thing after the other. */

import { dieWithParent } from '../../core/orphan.ts'
import { silent } from '../../core/progress.ts'
import { keyOfWork, type OpenUnits, openUnits } from '../stages/divide.ts'
import { stageNamed } from '../stages/index.ts'
import { performStage } from '../stages/perform.ts'
import type { Session } from '../stages/session.ts'
import { otherRun, problemOf, type Reply, type Request } from './messages.ts'

dieWithParent()
process.on('disconnect', () => process.exit(4))
const controller = new AbortController()
process.on('SIGTERM', () => controller.abort())
// On a terminal Ctrl-C reaches every process; the one that was started by a person decides what it means.
process.on('SIGINT', () => {})

const session: Session = {
  progress: { ...silent, note: line => process.stderr.write(`${line}\n`) },
  signal: controller.signal,
  now: () => new Date(),
}
let open: OpenUnits | undefined

async function answer(request: Request): Promise<Reply> {
  try {
    if (request.kind === 'work') return { kind: 'worked', made: await open!.work(request.unit) }
    await open?.close()
    open = undefined
    const stage = stageNamed(request.stage)
    if (request.kind === 'perform') {
      if (request.key !== null && request.key !== (await keyOfWork(stage, request.config, session)))
        throw otherRun(request.stage)
      return { kind: 'performed', result: await performStage(stage, request.config, session) }
    }
    const opened = await openUnits(stage, request.config, session)
    if ('finished' in opened) {
      const { id, key } = opened.finished.manifest
      return { kind: 'finished', run: id, key }
    }
    open = opened
    return { kind: 'opened', key: opened.key, names: opened.names }
  } catch (error) {
    return { kind: 'failed', problem: problemOf(error) }
  }
}

let turn: Promise<void> = Promise.resolve()
process.on('message', (request: Request) => {
  turn = turn.then(async () => {
    const reply = await answer(request)
    if (process.connected) process.send!(reply)
  })
})
