/** Telling somebody of a time that went wrong, by a program or an address; a notice that fails fails nothing else. */
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { codeOf, messageOf } from '../../core/errors.ts'
import type { ScheduleConfig } from '../stages/schedule.ts'
import type { Line } from './book.ts'

/** Milliseconds that a notice may take. */
const patience = 30_000

/** Whether a line is one to be told of. */
export function isWrong({ verdict, comparison }: Pick<Line, 'verdict' | 'comparison'>): boolean {
  return ['gate failed', 'inconclusive', 'failed'].includes(verdict) || comparison?.drift === true
}

/** Tells all who are to be told, a program in `folder`; what came of each, in words. The address is never among them. */
export async function notify(
  { command, webhook }: ScheduleConfig['onFailure'],
  line: Line,
  folder: string,
): Promise<string[]> {
  const told: string[] = []
  if (command) told.push(await outcome('command', () => run(command, line, folder)))
  if (webhook !== undefined) told.push(await outcome('webhook', () => post(webhook, line)))
  return told
}

async function outcome(what: string, tell: () => Promise<void>): Promise<string> {
  try {
    await tell()
    return what
  } catch (error) {
    return `${what} failed: ${messageOf(error)}`
  }
}

async function run([program, ...args]: readonly string[], line: Line, folder: string): Promise<void> {
  const child = spawn(program!, args, { cwd: folder, stdio: ['pipe', 'ignore', 'pipe'], timeout: patience })
  const complaint = text(child.stderr)
  child.stdin.on('error', () => {}) // a program that reads nothing
  child.stdin.end(`${JSON.stringify(line)}\n`)
  const [code, signal] = await new Promise<[number | null, string | null]>((done, fail) => {
    child.once('error', fail)
    child.once('close', (code, signal) => done([code, signal]))
  })
  if (code !== 0)
    throw new Error([`it ended with ${signal ?? `code ${code}`}`, (await complaint).trim()].filter(Boolean).join(': '))
}

async function post(variable: string, line: Line): Promise<void> {
  const address = process.env[variable]
  if (!address) throw new Error(`${variable} is not set`)
  if (!/^https?:\/\//.test(address) || !URL.canParse(address)) throw new Error(`${variable} holds no http address`)
  let response: Response
  try {
    response = await fetch(address, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text: sentence(line), ...line }),
      signal: AbortSignal.timeout(patience),
    })
  } catch (error) {
    // What fetch says may quote the address; a code does not.
    const { name, cause } = error as Error
    throw new Error(name === 'TimeoutError' ? 'no answer for half a minute' : `no answer (${codeOf(cause) ?? name})`)
  }
  if (!response.ok) throw new Error(`HTTP ${response.status}`)
}

/** The line in a sentence, which many chat services show as it is. */
export function sentence({ schedule, due, verdict, problem, comparison }: Line): string {
  const drift = comparison?.drift ? ', and there is drift' : ''
  return `pipeline schedule ${schedule}, due ${due}: ${verdict}${drift}${problem === null ? '' : `: ${problem}`}`
}
