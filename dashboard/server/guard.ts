/**
 * Who may ask: only programs and pages of this machine that know the token. A page of another site cannot read answers (no
 * CORS), cannot send requests that count (Origin, Sec-Fetch-Site, a header of its own), and cannot reach the server by a name of
 * its own that it lets point here (Host: DNS rebinding).
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'

/** What requests are held to. */
export interface Guard {
  /** `host:port` forms under which the server may be asked for. */
  readonly hosts: ReadonlySet<string>
  readonly token: string
  /** Name of the cookie: cookies ignore ports, so that the name has to carry it. */
  readonly cookie: string
}

/** The forms of this machine's own address, and the host that was asked for, with the port. */
export function hostsOf(host: string, port: number): Set<string> {
  return new Set(['127.0.0.1', 'localhost', '[::1]', host].map(name => `${name}:${port}`))
}

/** What a page sends in the header `x-pipeline-session` with a POST: known only to whoever may read answers. */
export function sessionOf({ token }: Guard): string {
  return createHmac('sha256', token).update('session').digest('base64url')
}

const headers: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
}

/** Sets the headers of every answer. */
export const secureHeaders: MiddlewareHandler = async (context, next) => {
  await next()
  for (const [name, value] of Object.entries(headers)) context.res.headers.set(name, value)
}

function isEqual(given: string | undefined, token: string): boolean {
  const [a, b] = [Buffer.from(given ?? ''), Buffer.from(token)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Bytes of an address at most. */
const longestAddress = 8192

/** Refuses whoever may not ask. `?token=` in an address becomes a cookie, and is taken out of the address. */
export function guarded(guard: Guard): MiddlewareHandler {
  const { hosts, token, cookie } = guard
  const session = sessionOf(guard)
  return async (context, next) => {
    const { req } = context
    const refuse = (error: string, fix: string, status: 401 | 403 | 405 | 414 | 415) =>
      context.json({ error, fix }, status)
    if (!hosts.has((req.header('host') ?? '').toLowerCase()))
      return refuse('This server is not asked for under this name.', `Ask for ${[...hosts][0]}.`, 403)
    if (req.url.length > longestAddress)
      return refuse(`The address has more than ${longestAddress} characters.`, 'Ask for less at once.', 414)
    const site = req.header('sec-fetch-site')
    const navigates = req.header('sec-fetch-mode') === 'navigate' && req.method === 'GET'
    if (site !== undefined && site !== 'same-origin' && site !== 'none' && !navigates)
      return refuse('Pages of other sites may not ask this server.', 'Open its own page.', 403)
    const origin = req.header('origin')
    if (origin !== undefined && ![...hosts].some(host => origin === `http://${host}`))
      return refuse('Pages of other sites may not ask this server.', 'Open its own page.', 403)
    if (!['GET', 'HEAD', 'POST'].includes(req.method))
      return refuse(`${req.method} is not answered.`, 'Use GET, and POST for what computes.', 405)
    const url = new URL(req.url)
    // The API has a parameter of this name, and programs send a header.
    const given = url.pathname.startsWith('/api/') ? null : url.searchParams.get('token')
    if (given !== null && req.method === 'GET') {
      if (!isEqual(given, token))
        return refuse('The token is not this server’s.', 'Use the address that it printed.', 401)
      url.searchParams.delete('token')
      setCookie(context, cookie, token, { httpOnly: true, sameSite: 'Strict', path: '/' })
      return context.redirect(url.pathname + url.search, 303)
    }
    const bearer = isEqual(/^Bearer (.+)$/.exec(req.header('authorization') ?? '')?.[1], token)
    if (!bearer && !isEqual(getCookie(context, cookie), token))
      return refuse(
        'This server wants its token.',
        'Open the address that it printed, or send the header Authorization: Bearer TOKEN.',
        401,
      )
    if (req.method === 'POST') {
      // A form of another site can send neither of the two.
      if (!/^application\/json\s*(;|$)/i.test(req.header('content-type') ?? ''))
        return refuse('A POST brings JSON.', 'Send the header Content-Type: application/json.', 415)
      if (!bearer && !isEqual(req.header('x-pipeline-session'), session))
        return refuse(
          'A POST with the cookie alone is not answered.',
          'Send the header x-pipeline-session with what GET /api/session says.',
          403,
        )
    }
    return next()
  }
}
