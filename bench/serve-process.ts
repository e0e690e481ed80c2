/** `pipeline serve` of the built package, as people start it: what a loader of sources takes is none of its memory. */
import { execFileSync, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'

/** A server that answers. */
export interface ServeProcess {
  readonly address: string
  readonly token: string
  /** Milliseconds from the start of the process to its first answer. */
  readonly firstAnswer: number
  /** MiB in memory, its threads included. */
  rss(): number
  stop(): void
}

const root = fileURLToPath(new URL('..', import.meta.url))
const token = 'the token of a benchmark'

/** Builds the package anew, so that it is the one of these sources. */
export function build(): void {
  execFileSync(process.execPath, ['--import', 'tsx', 'build.ts'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
}

/** Starts the server on a store and waits for its first answer. */
export async function startServer(store: string): Promise<ServeProcess> {
  const port = await freePort()
  const start = performance.now()
  const flags = ['--runs-dir', store, '--port', String(port), '--token', token]
  const child = spawn(process.execPath, [`${root}dist/pipeline/cli.js`, 'serve', ...flags], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const address = `http://127.0.0.1:${port}`
  const headers = { authorization: `Bearer ${token}` }
  for (;;) {
    const answer = await fetch(`${address}/api/runs`, { headers }).catch(() => undefined)
    await answer?.text()
    if (answer?.ok) break
    if (child.exitCode !== null) throw new Error(`The server ended with code ${child.exitCode}.`)
    await new Promise(done => setTimeout(done, 10))
  }
  return {
    address,
    token,
    firstAnswer: performance.now() - start,
    rss: () => Number(execFileSync('ps', ['-o', 'rss=', '-p', String(child.pid)], { encoding: 'utf8' })) / 1024,
    stop: () => child.kill('SIGINT'),
  }
}

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer().once('error', fail)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => done(port))
    })
  })
}
