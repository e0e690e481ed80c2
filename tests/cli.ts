/** Runs this project's command line as a person would, and keeps what it prints. */
import { type ChildProcess, spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { compiledCli } from './compiled.ts'

export const root = fileURLToPath(new URL('..', import.meta.url))

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Modules loaded before the program, to stand in for parts of the system. */
  readonly imports?: readonly string[]
}

export interface CliResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Starts the command line; `ended` gives what it came to. */
export function startCli(args: readonly string[], options: CliOptions = {}) {
  const flags = (options.imports ?? []).flatMap(module => ['--import', module])
  const child: ChildProcess = spawn(process.execPath, [...flags, compiledCli(), ...args], {
    cwd: root,
    env: { ...process.env, NO_COLOR: '1', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const code = new Promise<number | null>(done => child.once('close', code => done(code)))
  const ended = Promise.all([code, text(child.stdout!), text(child.stderr!)]).then(
    ([code, stdout, stderr]): CliResult => ({ code, stdout, stderr }),
  )
  return { child, ended }
}

/** Runs the command line to its end. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return startCli(args, options).ended
}

/**
 * Runs the command line in this process, where it differs in nothing from one of its own but the time that a start takes: for
 * commands of one engine and precision that start no others and are not cut.
 */
export async function runHere(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliResult> {
  const { main } = await import('../pipeline/main.ts')
  return printedBy(() => main(args, { signal: new AbortController().signal, tell() {} }), env)
}

/** What a function prints on both streams while it runs in this process, under more of an environment. */
export async function printedBy(
  run: () => Promise<number>,
  env: Readonly<Record<string, string>> = {},
): Promise<CliResult> {
  const printed = { stdout: '', stderr: '' }
  const before = { ...process.env }
  const write = { stdout: process.stdout.write, stderr: process.stderr.write }
  Object.assign(process.env, { NO_COLOR: '1', ...env })
  for (const stream of ['stdout', 'stderr'] as const)
    process[stream].write = ((text: string | Uint8Array, ...rest: unknown[]) => {
      printed[stream] += typeof text === 'string' ? text : Buffer.from(text).toString()
      const done = rest.find(one => typeof one === 'function') as (() => void) | undefined
      if (done) queueMicrotask(done)
      return true
    }) as typeof process.stdout.write
  try {
    const code = await run()
    return { code, ...printed }
  } finally {
    Object.assign(process.stdout, { write: write.stdout })
    Object.assign(process.stderr, { write: write.stderr })
    for (const name of Object.keys(env)) if (!(name in before)) delete process.env[name]
    Object.assign(process.env, before)
  }
}
