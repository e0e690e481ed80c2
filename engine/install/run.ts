/** Runs a program and gives back what it printed; its failure is an error that quotes its last words. */
import { spawn } from 'node:child_process'
import { codeOf } from '../../core/errors.ts'

/** How a program ended. */
export class ProgramError extends Error {
  /** Whether there is no such program. */
  readonly missing: boolean
  /** Its standard error. */
  readonly stderr: string

  constructor(message: string, missing: boolean, stderr: string) {
    super(message)
    this.name = 'ProgramError'
    this.missing = missing
    this.stderr = stderr
  }
}

/** Runs `command` without a shell and gives its standard output; throws a `ProgramError`. */
export function run(
  command: string,
  parameters: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, parameters, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', text => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', text => {
      stderr += text
    })
    child.on('error', error => {
      const missing = codeOf(error) === 'ENOENT'
      reject(new ProgramError(missing ? `there is no ${command}` : error.message, missing, stderr))
    })
    child.on('close', (code, signal) => {
      if (code === 0) resolve(stdout)
      else reject(new ProgramError(lastWords(stderr) || `${command} ended with ${signal ?? code}`, false, stderr))
    })
  })
}

/** The line that says most: the first that speaks of an error, else the last. */
function lastWords(text: string): string {
  const lines = text.split('\n').map(line => line.trim())
  const said = lines.filter(line => line !== '')
  return (said.find(line => /\berror\b/i.test(line)) ?? said.at(-1) ?? '')
    .replace(/^(npm )?error:?\s*/i, '')
    .slice(0, 300)
}
