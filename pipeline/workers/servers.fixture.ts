/** Servers of queues, started for tests with data of their own, on machines that have their programs. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface TestServer {
  readonly url: string
  /** Ends it as a power cut would. */
  kill(): Promise<void>
  /** Starts it again with the data that it left. */
  start(): Promise<void>
}

/** Whether a program is here; a note where it is not, so that who skips says why. */
export function hasProgram(name: string): boolean {
  try {
    execFileSync('which', [name], { stdio: 'ignore' })
    return true
  } catch {
    console.warn(`Skipped: ${name} is not on this machine.`)
    return false
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(done => server.once('listening', done))
  const { port } = server.address() as AddressInfo
  await new Promise(done => server.close(done))
  return port
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const start = performance.now(); !holds(); await sleep(50))
    if (performance.now() - start > 60_000) throw new Error(`${what} did not happen within a minute.`)
}

function quietly(program: string, args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function serverOf(url: string, begin: () => ChildProcess, isUp: () => boolean): TestServer {
  let child: ChildProcess | undefined
  return {
    url,
    async start() {
      child = begin()
      await until(`The start of ${url}`, isUp)
    },
    async kill() {
      const ended = child && new Promise(done => child!.once('exit', done))
      child?.kill('SIGKILL')
      await ended
      child = undefined
    },
  }
}

/** A Redis that writes every change to `folder`, and more settings. */
export async function redisServer(folder: string, settings: readonly string[] = []): Promise<TestServer> {
  const port = await freePort()
  mkdirSync(folder, { recursive: true })
  const always = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder]
  const kept = ['--appendonly', 'yes', '--appendfsync', 'always']
  return serverOf(
    `redis://127.0.0.1:${port}`,
    () => spawn('redis-server', [...always, ...kept, ...settings], { stdio: 'ignore' }),
    () => quietly('redis-cli', ['-p', String(port), 'ping']),
  )
}

/** Folder of PostgreSQL's programs, which Debian keeps out of the path; undefined where there is none. */
export function postgresPrograms(): string | undefined {
  const root = '/usr/lib/postgresql'
  const version = existsSync(root) ? readdirSync(root).at(-1) : undefined
  if (version === undefined) console.warn('Skipped: PostgreSQL is not on this machine.')
  return version && join(root, version, 'bin')
}

/** A PostgreSQL with data in `folder`; it refuses to run as root, so it is the user postgres's where the tests are root's. */
export async function postgresServer(programs: string, folder: string): Promise<TestServer> {
  const port = await freePort()
  const root = process.getuid?.() === 0
  const as = (program: string, args: readonly string[]): [string, string[]] =>
    root
      ? ['runuser', ['-u', 'postgres', '--', join(programs, program), ...args]]
      : [join(programs, program), [...args]]
  mkdirSync(folder, { recursive: true })
  // A temporary folder of root's is closed to others.
  if (root) execFileSync('chmod', ['755', dirname(folder)])
  if (root) execFileSync('chown', ['postgres', folder])
  execFileSync(...as('initdb', ['-D', folder, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8']), { stdio: 'ignore' })
  const args = ['-D', folder, '-p', String(port), '-k', folder, '-c', 'listen_addresses=127.0.0.1']
  let child: ChildProcess | undefined
  const up = () => quietly(join(programs, 'pg_isready'), ['-h', '127.0.0.1', '-p', String(port)])
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    async start() {
      child = spawn(...as('postgres', args), { stdio: 'ignore' })
      await until('The start of PostgreSQL', up)
    },
    async kill() {
      // `immediate` is PostgreSQL's word for a crash: no checkpoint, and recovery at the next start.
      quietly(...as('pg_ctl', ['-D', folder, 'stop', '-m', 'immediate']))
      child?.kill('SIGKILL')
      await until('The end of PostgreSQL', () => !up())
    },
  }
}
