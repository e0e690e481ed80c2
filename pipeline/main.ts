/** From arguments to an exit code: finds the command, runs it, and says what went wrong in a sentence. */
import { createInterface } from 'node:readline/promises'
import { codeOf, FaultError, InterruptedError, UserError } from '../core/errors.ts'
import { readError, writeError } from '../core/files.ts'
import { nearest } from '../core/nearest.ts'
import { visibleJson, visibleLines } from '../core/visible.ts'
import { type Invocation, readCommand, TextAsked } from './command.ts'
import { type CommandEntry, commands } from './commands/index.ts'
import { helpText } from './help.ts'
import type { Interrupts } from './interrupt.ts'
import { packageVersion } from './stages/version.ts'
import { onScreen, terminalProgress } from './terminal.ts'

/** Exit code of a bug: anything thrown that is not for the user to mend. */
const bugCode = 70

/** Runs the command line `args` until it is done or interrupted, and gives its exit code (docs/cli.md lists them). */
export async function main(args: readonly string[], interrupts: Interrupts): Promise<number> {
  const width = process.stdout.columns ?? Number(process.env.COLUMNS || 80)
  const json = args.includes('--json')
  let invocation: Invocation
  try {
    invocation = await find(args, width)
    const redraws = process.env.TERM !== 'dumb'
    const color = process.stderr.isTTY === true && !process.env.NO_COLOR && redraws
    const seconds = () => performance.now() / 1000
    const progress = terminalProgress({ screen: process.stderr, color, redraws, seconds })
    interrupts.tell = line => progress.note(line)
    const { signal } = interrupts
    if (signal.aborted) throw new InterruptedError('Stopped before the work began.')
    const ask = process.stdin.isTTY && process.stderr.isTTY ? asking(signal) : undefined
    const outcome = await invocation.run({ progress, signal, now: () => new Date(), columns: width, ask })
    const told = invocation.json ? visibleJson(outcome.json) : onScreen(visibleLines(outcome.text), process.stdout)
    if (outcome.data === undefined) await print(told && `${told}\n`)
    else {
      await print(outcome.data)
      progress.note(told)
    }
    return outcome.exitCode ?? 0
  } catch (error) {
    if (error instanceof TextAsked) {
      await print(error.text)
      return 0
    }
    return complain(error, json)
  }
}

/** Asks on the terminal; only `y` and `yes` are yes. */
function asking(signal: AbortSignal): (question: string) => Promise<boolean> {
  return async question => {
    const lines = createInterface({ input: process.stdin, output: process.stderr })
    try {
      return /^\s*y(es)?\s*$/i.test(await lines.question(`${visibleLines(question)} [y/N] `, { signal }))
    } catch (error) {
      if (signal.aborted) throw new InterruptedError('Stopped before an answer was given.')
      throw error
    } finally {
      lines.close()
    }
  }
}

/** Walks the words down to a command: `runs list …` is the entry `list` of the group `runs`. */
async function find(args: readonly string[], width: number): Promise<Invocation> {
  let entries: Readonly<Record<string, CommandEntry>> = commands
  const path: string[] = []
  let load: CommandEntry['load']
  for (;;) {
    const word = args[path.length]
    const entry = word === undefined ? undefined : Object.hasOwn(entries, word) ? entries[word] : undefined
    if (!entry && load) return readCommand(path.join(' '), await load(), args.slice(path.length), width)
    if (!entry) {
      if (word === undefined || ['-h', '--help', 'help'].includes(word))
        throw new TextAsked(groupHelp(path, entries, width))
      if (word === '--version' || word === '-V') throw new TextAsked(`${packageVersion()}\n`)
      const what = path.length ? `${path.join(' ')} has no command` : 'There is no command'
      const [best] = nearest(word, Object.keys(entries), 1)
      throw new UserError(`${what} ${word}.`, {
        fix: `Did you mean ${[...path, best].join(' ')}? \`${['pipeline', ...path].join(' ')} --help\` lists all.`,
      })
    }
    path.push(word!)
    load = entry.load
    entries = entry.commands ?? {}
  }
}

function groupHelp(path: readonly string[], entries: Readonly<Record<string, CommandEntry>>, width: number): string {
  const name = ['pipeline', ...path].join(' ')
  return helpText(
    {
      usage: `${name} <command> [flags]`,
      about:
        path.length === 0
          ? 'From a language model and text to sparse autoencoder features that passed a causal test.'
          : commands[path[0]!]!.summary,
      examples: path.length === 0 ? ['pipeline doctor', 'pipeline run examples/demo.yaml'] : [],
      sections: [{ title: 'Commands', rows: Object.entries(entries).map(([key, { summary }]) => [key, summary]) }],
      footer: `\`${name} <command> --help\` shows a command's flags.${path.length ? '' : ' Exit codes: 0 done, 1 user error, 2 a gate failed, 3 inconclusive, 4 interrupted (start it again to go on), 70 a bug, 75 a fault worth retrying.'}`,
    },
    width,
  )
}

/** Tells the person, or under --json the program, what went wrong, and gives the exit code. */
export async function complain(thrown: unknown, json: boolean, program = 'pipeline'): Promise<number> {
  const error = asUserError(thrown)
  const exitCode = error ? error.exitCode : bugCode
  const message = error ? error.message : thrown instanceof Error ? thrown.message : String(thrown)
  const fix = error?.fix
  if (error)
    process.stderr.write(
      onScreen(visibleLines(`${program}: ${message}\n${fix ? `  fix: ${fix}\n` : ''}`), process.stderr),
    )
  else {
    const stack = thrown instanceof Error ? (thrown.stack ?? message) : message
    process.stderr.write(`${program}: this is a bug, not your mistake. Please report what follows.\n${stack}\n`)
  }
  if (json) await print(`${visibleJson({ error: { message, ...(fix ? { fix } : {}), exitCode } })}\n`)
  return exitCode
}

/** Full disks and forbidden places are for the user to mend even where the code that met them did not say so. */
function asUserError(thrown: unknown): UserError | undefined {
  if (thrown instanceof UserError) return thrown
  const { syscall, path } = (thrown ?? {}) as { syscall?: string; path?: string }
  if (['EACCES', 'EPERM'].includes(codeOf(thrown) ?? '') && syscall === 'scandir' && path !== undefined) {
    const told = readError(path, 'folder', thrown)
    if (told instanceof UserError) return told
  }
  if (['ENOSPC', 'EDQUOT', 'EACCES', 'EPERM', 'EROFS', 'EIO', 'EFBIG'].includes(codeOf(thrown) ?? '')) {
    const told = writeError(path ?? 'A file', thrown)
    return told instanceof UserError ? told : undefined
  }
  if (codeOf(thrown) === 'EMFILE')
    return new FaultError('Too many files are open.', { fix: 'Raise the limit (`ulimit -n`) and try again.' })
  return undefined
}

/** Writes to stdout and waits until it is written; a reader that went away (`| head`) is no error. */
export function print(text: string): Promise<void> {
  return new Promise((done, fail) => {
    process.stdout.once('error', error => (codeOf(error) === 'EPIPE' ? done() : fail(error)))
    process.stdout.write(text, () => done())
  })
}
