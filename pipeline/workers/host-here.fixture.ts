/** What stands in for a worker process in tests: it answers in this process, and ends where a test wants that. */
import { session } from '../stages/store.fixture.ts'
import { answering } from './answer.ts'
import type { Reply, Request } from './messages.ts'
import { type Host, WorkerGone } from './worker-process.ts'

/** `before` may throw a `WorkerGone`, or answer in the place of the work. */
export function hostHere(
  before: (request: Request) => Reply | undefined = () => undefined,
  own: Partial<typeof session> = {},
): Host {
  const controller = new AbortController()
  const answer = answering({ ...session, signal: controller.signal, ...own })
  let gone = false
  return {
    async ask(request) {
      if (gone) throw new WorkerGone('ended before')
      return before(request) ?? answer(request)
    },
    stop: () => controller.abort(),
    end() {
      gone = true
    },
  }
}
