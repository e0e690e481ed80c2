/** A stage in its own process: the engine's precision is one to a process, and its memory goes back when it ends. */
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { interruptedCode } from '../../core/errors.ts'
import type { StageResult, StageResults } from './perform.ts'

export interface ChildOutcome<Result = StageResult | StageResults> {
  readonly exitCode: number
  /** What the stage printed under `--json`; undefined when it ended without a word. */
  readonly result: Result | { readonly error: { readonly message: string; readonly fix?: string } } | undefined
}

/** Exit codes above it are those of a signal: so much and its number. */
const bySignal = 128

/** How a process ended that said nothing, after its name. */
export function endOf(exitCode: number): string {
  if (exitCode === interruptedCode) return 'was stopped before it began; start the same command again'
  if (exitCode <= bySignal) return `ended with code ${exitCode}`
  const signal = Object.entries(constants.signals).find(([, number]) => number === exitCode - bySignal)?.[0]
  const why = signal === 'SIGKILL' ? ', which happens where memory runs out' : ''
  return `was ended by ${signal ?? `signal ${exitCode - bySignal}`}${why}; what it had done is kept: start the same command again`
}

/**
 * Runs a command of this program with a config, its progress going to this process's stderr. An abort asks the child to
 * stop where it can go on later; a child whose parent dies ends itself. `folder` is where its paths are from.
 */
export async function runChild<Result = StageResult | StageResults>(
  command: string,
  config: object,
  signal: AbortSignal,
  folder = process.cwd(),
): Promise<ChildOutcome<Result>> {
  // What Node needs to run the sources is named so that it is found from any folder.
  const loader = createRequire(import.meta.url)
  const nodeArgs = process.execArgv.map(arg => (arg === 'tsx' ? pathToFileURL(loader.resolve(arg)).href : arg))
  const args = [...nodeArgs, process.argv[1]!, ...command.split(' '), '--config', '-', '--json']
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['pipe', 'pipe', 'inherit', 'ipc'] })
  // Not SIGINT: on a terminal Ctrl-C reaches the child by itself, and two of them mean "at once".
  const stop = () => child.kill('SIGTERM')
  const kill = () => child.kill('SIGKILL')
  signal.addEventListener('abort', stop)
  process.on('exit', kill)
  if (signal.aborted) stop()
  try {
    child.stdin!.on('error', () => {}) // a child that ended before it read its config tells why on its own
    child.stdin!.end(JSON.stringify(config))
    const ended = new Promise<number>((done, fail) => {
      child.once('error', fail)
      // One that was stopped before it could catch that is interrupted like any other.
      child.once('close', (code, by) =>
        done(code ?? (by !== 'SIGKILL' && signal.aborted ? interruptedCode : bySignal + constants.signals[by!])),
      )
    })
    const [exitCode, printed] = await Promise.all([ended, text(child.stdout!)])
    // What one that was ended had begun to print is no word.
    const last = exitCode > bySignal ? undefined : printed.trim().split('\n').at(-1)
    return { exitCode, result: last ? (JSON.parse(last) as NonNullable<ChildOutcome<Result>['result']>) : undefined }
  } finally {
    signal.removeEventListener('abort', stop)
    process.off('exit', kill)
  }
}
