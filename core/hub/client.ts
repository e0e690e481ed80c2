/** Requests to a hub: with the token where there is one, again where a fault may pass, and as a sentence where it does not. */
import { setTimeout as wait } from 'node:timers/promises'
import { FaultError, InterruptedError, messageOf, UserError } from '../errors.ts'
import { counted } from '../text.ts'

export interface HubClient {
  readonly url: string
  /** A request; answers of 200 to 299, and 416, come back, all else is an error. */
  get(address: string, headers?: Readonly<Record<string, string>>): Promise<Response>
  /**
   * Waits before try number `again` (from 0), and as many seconds as the hub asks for; throws the fault where there were enough
   * of them, or that would be too long.
   */
  rest(again: number, fault: FaultError, asked?: number): Promise<void>
  readonly signal: AbortSignal
  /** So long nothing may come before a connection is given up, in milliseconds. */
  readonly patience: number
}

export interface ClientOptions {
  readonly url: string
  readonly token: string | undefined
  readonly signal: AbortSignal
  /** Tries that follow a fault, and the first pause in milliseconds, which doubles each time. */
  readonly tries?: number
  readonly pause?: number
  readonly patience?: number
}

const longestPause = 8000
/** Seconds that a hub may ask to wait; a person starts again after longer ones. */
const longestAsked = 120

/** A client of the hub at `url`. The token goes to that host alone, and stands in no message. */
export function hubClient({ url, token, signal, tries = 5, pause = 500, patience = 60_000 }: ClientOptions): HubClient {
  const base = addressOf(url)
  mustBeToken(token)
  const rest = async (again: number, fault: FaultError, asked = 0) => {
    if (again >= tries || asked > longestAsked) throw fault
    await wait(Math.max(1000 * asked, Math.min(longestPause, pause * 2 ** again)), undefined, { signal }).catch(() => {
      throw interrupted()
    })
  }
  return {
    url: base,
    signal,
    patience,
    rest,
    async get(address, headers = {}) {
      for (let again = 0; ; again++) {
        const found = await attempt(address, { ...headers, ...(token && { authorization: `Bearer ${token}` }) })
        if (found instanceof Response) return found
        await rest(again, found.fault, found.asked)
      }
    },
  }

  async function attempt(address: string, headers: Record<string, string>): Promise<Response | Refusal> {
    let answer: Response
    // Only the head of the answer must come within that time: bodies may be long.
    const slow = new AbortController()
    const timer = setTimeout(() => slow.abort(new Error(`nothing came for ${patience / 1000} seconds`)), patience)
    try {
      answer = await fetch(address, { headers, signal: AbortSignal.any([signal, slow.signal]) })
    } catch (error) {
      if (signal.aborted) throw interrupted()
      return { fault: unreachable(base, error), asked: 0 }
    } finally {
      clearTimeout(timer)
    }
    if (answer.ok || answer.status === 416) return answer
    await answer.body?.cancel()
    const { status } = answer
    if (status === 429 || status >= 500) {
      const asked = secondsOf(answer.headers.get('retry-after'))
      const asks = asked > 0 ? `, and asks to wait ${counted(asked, 'second', 'seconds')}` : ''
      const fault = new FaultError(`The hub ${base} answers ${status}${asks}.`, {
        fix: 'Start the same command again later; it goes on where it stopped.',
      })
      return { fault, asked }
    }
    if (status === 401 || status === 403)
      throw new UserError(
        `The hub ${base} does not give this to ${token ? 'the token of HF_TOKEN' : 'someone without a token'} (${status}).`,
        {
          fix: token
            ? 'Check what the token may read, and whether its owner accepted the terms.'
            : 'Set HF_TOKEN to a token that may read it, or check the name.',
        },
      )
    if (status === 404)
      throw new UserError(`There is nothing at ${withoutQuery(address)}.`, { fix: 'Check name and revision.' })
    throw new UserError(`The hub ${base} answers ${status} to ${withoutQuery(address)}.`)
  }
}

/** A fault that may pass, and how many seconds the hub asks to wait. */
interface Refusal {
  readonly fault: FaultError
  readonly asked: number
}

/** `Retry-After` in seconds; 0 where there is none, or a date. */
function secondsOf(header: string | null): number {
  return header !== null && /^\d{1,9}$/.test(header.trim()) ? Number(header) : 0
}

/** The hub's address without slashes at its end. Names and passwords in it would stand in messages, so there may be none. */
function addressOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (!parsed || !/^https?:$/.test(parsed.protocol))
    throw new UserError(
      `hub is ${JSON.stringify(url)}, but it must be an address that begins with https:// or http://.`,
    )
  if (parsed.username || parsed.password || parsed.search || parsed.hash)
    throw new UserError('hub holds a user name, a password, a query or a mark, but it must be a plain address.', {
      fix: 'Set HF_TOKEN to a token instead.',
    })
  return url.replace(/\/+$/, '')
}

/** Refuses what no header may hold before anything could say it. */
function mustBeToken(token: string | undefined): void {
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token))
    throw new UserError('HF_TOKEN holds blanks, line ends or letters that no token has.', {
      fix: 'Set it to the token alone.',
    })
}

/** The fault of a connection that failed or fell silent. */
export function unreachable(url: string, error: unknown): FaultError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return new FaultError(`The hub ${url} cannot be reached: ${messageOf(cause)}.`, {
    fix: 'Check the network and start the same command again; it goes on where it stopped. --offline uses what is there.',
  })
}

/** Ctrl-C. */
export function interrupted(): InterruptedError {
  return new InterruptedError('The download was interrupted.', {
    fix: 'Start the same command again; it goes on where it stopped.',
  })
}

const withoutQuery = (address: string) => address.split('?')[0]
