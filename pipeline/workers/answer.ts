/** What a worker process does with what it is asked for, one thing after the other. */
import { identityOfWork, type OpenUnits, openUnits } from '../stages/divide.ts'
import { stageNamed } from '../stages/index.ts'
import { performStage } from '../stages/perform.ts'
import type { Session } from '../stages/session.ts'
import { mustBeSame, problemOf, type Reply, type Request } from './messages.ts'

/** Answers requests; never throws. The work that was opened last stays open for its units. */
export function answering(session: Session): (request: Request) => Promise<Reply> {
  let open: OpenUnits | undefined
  return async request => {
    try {
      if (request.kind === 'work') return { kind: 'worked', made: await open!.work(request.unit) }
      await open?.close()
      open = undefined
      const stage = stageNamed(request.stage)
      if (request.kind === 'perform') {
        if (request.identity)
          mustBeSame(request.stage, request.identity, await identityOfWork(stage, request.config, session))
        return { kind: 'performed', result: await performStage(stage, request.config, session) }
      }
      const opened = await openUnits(stage, request.config, session)
      if ('finished' in opened) {
        const { id, key } = opened.finished.manifest
        return { kind: 'finished', run: id, key }
      }
      open = opened
      return { kind: 'opened', identity: opened.identity, names: opened.names }
    } catch (error) {
      return { kind: 'failed', problem: problemOf(error) }
    }
  }
}
