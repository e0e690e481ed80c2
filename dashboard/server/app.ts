/** The server as a function from requests to answers: the guard, the API, the pages. It reads files and writes none. */
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { streamSSE } from 'hono/streaming'
import { FaultError, messageOf, NotThereError, UserError } from '../../core/errors.ts'
import { hashValue } from '../../core/hash.ts'
import { contracts } from '../api/contracts/index.ts'
import { live as liveContract } from '../api/contracts/metrics.ts'
import { shown } from '../html.ts'
import { parsePlace } from '../read/place.ts'
import { Runs } from '../read/runs.ts'
import { Answers, isKnown } from './answers.ts'
import { loadAssets } from './assets.ts'
import { type Compute, SupersededError } from './compute.ts'
import { type Guard, guarded, secureHeaders, sessionOf } from './guard.ts'
import { live, mostWatched } from './live.ts'
import { openApi } from './openapi.ts'
import { pages } from './pages/index.ts'
import { documentOf } from './pages/page.ts'
import { checked, type Sources } from './route.ts'
import { routes } from './routes/index.ts'

export interface AppOptions {
  /** Folder of runs. */
  readonly directory: string
  readonly guard: Guard
  readonly version: string
  /** What computes; undefined where the server only reads. */
  readonly compute?: Compute | undefined
  /** Told of errors that are no one's but the program's. */
  readonly onBug: (error: unknown) => void
  /** Ends streams when the server stops. */
  readonly signal?: AbortSignal
  /** Milliseconds that an answer may take to be made; default: five minutes, more than the longest task may. */
  readonly longestAnswer?: number | undefined
}

/** Bytes of a body, and streams that are open at once. */
const longestBody = 64 * 1024
const mostStreams = 64

/** The application, without a port. */
export function createApp(options: AppOptions): Hono {
  const { directory, guard, version, compute, onBug, signal, longestAnswer = 300_000 } = options
  const app = new Hono()
  const sources: Sources = { runs: new Runs(directory), compute, version, session: sessionOf(guard) }
  const answers = new Answers()
  app.use(secureHeaders, guarded(guard))
  app.use(
    bodyLimit({
      maxSize: longestBody,
      onError: context =>
        context.json({ error: `The body has more than ${longestBody} bytes.`, fix: 'Ask about a shorter text.' }, 413),
    }),
  )
  const document = openApi(contracts, version)
  const tag = hashValue(document)
  app.get('/api/openapi.json', context => answers.send(context, {}, { tag, value: () => document }))
  for (const route of routes) {
    const { contract } = route
    app.on(contract.method, routeOf(contract.path), async context => {
      const parts = context.req.param() as Record<string, string>
      const body = contract.method === 'POST' ? await bodyOf(context) : undefined
      const query = queryOf(context)
      return within(longestAnswer, context.req.raw.signal, async signal =>
        answers.send(context, contract, await route.answer(sources, { parts, query, body, signal })),
      )
    })
  }
  let streams = 0
  app.get(liveContract.path, context => {
    const query = checked('query', liveContract.query, queryOf(context))
    if (query.run.length > mostWatched) throw new UserError(`A stream watches at most ${mostWatched} runs.`)
    const place = parsePlace(context.req.header('last-event-id') ?? query.cursor ?? '')
    if (streams >= mostStreams)
      return context.json({ error: `${mostStreams} streams are open already.`, fix: 'Close other pages.' }, 503)
    streams++
    return streamSSE(
      context,
      async stream => {
        try {
          const ends = AbortSignal.any([context.req.raw.signal, ...(signal ? [signal] : [])])
          await live(stream, { runs: sources.runs, watched: [...new Set(query.run)], place, signal: ends })
        } finally {
          streams--
        }
      },
      async error => onBug(error),
    )
  })
  let assets: ReturnType<typeof loadAssets> | undefined
  app.get('/assets/:name', async context => {
    assets ??= loadAssets()
    const asset = (await assets).get(context.req.param('name'))
    if (!asset) return context.notFound()
    const { bytes, type, etag } = asset
    const headers = { 'content-type': type, etag, 'cache-control': 'private, no-cache' }
    if (isKnown(context.req.header('if-none-match'), etag)) return new Response(null, { status: 304, headers })
    return new Response(bytes, { headers })
  })
  for (const { path, make } of pages)
    app.get(routeOf(path), async context => {
      const page = await make(
        sources,
        context.req.param() as Record<string, string>,
        new URL(context.req.url).searchParams,
      )
      return context.html(documentOf(page))
    })
  app.notFound(context =>
    context.json({ error: 'There is nothing here.', fix: 'GET /api/openapi.json says what there is.' }, 404),
  )
  app.onError((error, context) => {
    if (error instanceof UserError && !context.req.path.startsWith('/api/'))
      return context.html(documentOf(problemPage(error)), statusOf(error))
    if (error instanceof UserError)
      return context.json({ error: error.message, ...(error.fix ? { fix: error.fix } : {}) }, statusOf(error))
    onBug(error)
    return context.json({ error: `This is a bug of the server: ${messageOf(error)}` }, 500)
  })
  return app
}

/** What `work` gives, or a `FaultError` where it takes longer; what it waits for is told by the signal that nobody does any more. */
async function within<T>(
  milliseconds: number,
  asker: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, fail) => {
    timer = setTimeout(() => {
      late.abort()
      fail(
        new FaultError(`It took more than ${milliseconds / 1000} seconds and was given up.`, {
          fix: 'Ask again when the machine has less to do, or for less.',
        }),
      )
    }, milliseconds)
  })
  try {
    return await Promise.race([work(AbortSignal.any([asker, late.signal])), limit])
  } finally {
    clearTimeout(timer)
  }
}

/** A path with `{name}` as the router writes it. */
const routeOf = (path: string) => path.replace(/\{(\w+)\}/g, ':$1')

/** A thing that is not there is 404; a question that a newer one replaced 409; what may pass 503; what was asked wrongly is 400. */
function statusOf(error: UserError): 400 | 404 | 409 | 503 {
  if (error instanceof NotThereError) return 404
  if (error instanceof FaultError) return 503
  return error instanceof SupersededError ? 409 : 400
}

/** What a page says that cannot be made. */
const problemPage = ({ message, fix }: UserError) => ({
  title: 'That cannot be shown',
  body: `<p>${shown(message, 500)}</p>${fix ? `<p class="soft">${shown(fix, 500)}</p>` : ''}`,
})

/** Query parameters, as a list where one comes more than once. */
function queryOf(context: Context): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(context.req.queries()).map(([name, values]) => [name, values.length === 1 ? values[0]! : values]),
  )
}

/** The JSON of a body; a `UserError` for one that is none. */
async function bodyOf(context: Context): Promise<unknown> {
  const text = await context.req.text()
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new UserError('The body is no JSON.', { fix: 'Send one JSON object.' })
  }
}
