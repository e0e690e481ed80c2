/** The playground's process: it has an engine, does the tasks that its parent sends, and ends with it. */
import { messageOf, NotThereError, UserError } from '../../core/errors.ts'
import { startProcessEngine } from '../stages/common.ts'
import type { FromProcess, ToProcess } from './messages.ts'
import { PlaygroundTasks } from './tasks.ts'

const send = (message: FromProcess) => process.send!(message)
const [directory, engine] = process.argv.slice(2) as [string, string]
const running = new Map<number, AbortController>()
let tasks: Promise<PlaygroundTasks> | undefined

async function start(): Promise<PlaygroundTasks> {
  await startProcessEngine(JSON.parse(engine))
  return new PlaygroundTasks(directory)
}

process.on('disconnect', () => process.exit(0))
// On a terminal Ctrl-C reaches this process too; its parent ends it.
process.on('SIGINT', () => {})
process.on('message', async (message: ToProcess) => {
  if ('cancel' in message) return running.get(message.cancel)?.abort()
  const { id, task, asked } = message
  const control = new AbortController()
  running.set(id, control)
  try {
    tasks ??= start()
    const given = await (await tasks).do(task, asked as never, control.signal)
    send({ id, given })
  } catch (error) {
    const kind = error instanceof NotThereError ? 'not-there' : error instanceof UserError ? 'user' : 'bug'
    const fix = error instanceof UserError ? error.fix : undefined
    const stack = kind === 'bug' && error instanceof Error ? error.stack : undefined
    send({ id, problem: { kind, message: stack ?? messageOf(error), ...(fix !== undefined && { fix }) } })
  } finally {
    running.delete(id)
  }
})
