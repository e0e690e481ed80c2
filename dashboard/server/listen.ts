/** The server on a port of this machine, until it is told to stop. */
import { randomBytes } from 'node:crypto'
import type { Server } from 'node:http'
import { serve } from '@hono/node-server'
import { codeOf, UserError } from '../../core/errors.ts'
import { createApp } from './app.ts'
import type { Compute } from './compute.ts'
import { hostsOf } from './guard.ts'

export interface ServeOptions {
  readonly directory: string
  readonly version: string
  /** Default: this machine alone. */
  readonly host: string
  /** 0 takes any that is free; so is done where this one is taken and was not insisted on. */
  readonly port: number
  /** Whether another port will not do. */
  readonly exactly: boolean
  /** Default: a random one. */
  readonly token?: string | undefined
  /** What computes; undefined where the server only reads. */
  readonly compute?: Compute | undefined
  /** Milliseconds that a request's headers and body may take; default: ten seconds. */
  readonly patience?: number
  /** Milliseconds for which nothing may go either way on a connection, such as one whose reader stopped; default: ten minutes. */
  readonly quiet?: number
  /** Milliseconds that an answer may take to be made; default: five minutes. */
  readonly longestAnswer?: number
  readonly signal: AbortSignal
  readonly onBug: (error: unknown) => void
}

/** A server that answers. */
export interface Serving {
  readonly port: number
  readonly token: string
  /** Address to open: it hands the token to the browser. */
  readonly address: string
  /** Resolves when it has stopped. */
  readonly closed: Promise<void>
}

const usualPatience = 10_000
const usualQuiet = 600_000

/** Starts to listen; a `UserError` where the port cannot be had. */
export async function listen(options: ServeOptions): Promise<Serving> {
  const token = options.token ?? randomBytes(24).toString('base64url')
  try {
    return await start(options, options.port, token)
  } catch (error) {
    if (codeOf(error) === 'EADDRINUSE' && !options.exactly) return start(options, 0, token)
    const taken = { EADDRINUSE: 'is taken', EACCES: 'may not be used', EADDRNOTAVAIL: 'is not of this machine' }
    const what = taken[codeOf(error) as keyof typeof taken]
    if (!what) throw error
    throw new UserError(`The address ${options.host}:${options.port} ${what}.`, {
      fix: 'Choose another --port or --host.',
    })
  }
}

function start(options: ServeOptions, port: number, token: string): Promise<Serving> {
  const { directory, version, host, compute, signal, onBug, patience = usualPatience, quiet = usualQuiet } = options
  return new Promise((resolve, reject) => {
    let answer: (request: Request) => Response | Promise<Response> = () => new Response(null, { status: 503 })
    // Timeouts are looked after as often as they may be overstepped.
    const limits = { headersTimeout: patience, requestTimeout: patience, connectionsCheckingInterval: patience / 4 }
    const server = serve({ fetch: request => answer(request), hostname: host, port, serverOptions: limits }, info => {
      const guard = { hosts: hostsOf(host, info.port), token, cookie: `pipeline-${info.port}` }
      const { longestAnswer } = options
      const app = createApp({ directory, version, guard, compute, onBug, signal, longestAnswer })
      answer = request => app.fetch(request)
      const closed = new Promise<void>(done => server.once('close', done))
      const stop = () => {
        server.close()
        ;(server as Server).closeAllConnections()
      }
      if (signal.aborted) stop()
      signal.addEventListener('abort', stop, { once: true })
      resolve({ port: info.port, token, address: `http://${shownHost(host)}:${info.port}/?token=${token}`, closed })
    })
    server.setTimeout(quiet)
    server.once('error', reject)
  })
}

/** An address that listens everywhere is opened here. */
function shownHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost'
  return host.includes(':') ? `[${host}]` : host
}
