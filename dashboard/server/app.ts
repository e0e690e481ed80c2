/** The server as a function from requests to answers: the guard, the API, the pages. It reads files and writes none. */
import * as arrow from 'apache-arrow'
import { type Context, Hono } from 'hono'
import { messageOf, NotThereError, UserError } from '../../core/errors.ts'
import { hashValue } from '../../core/hash.ts'
import { shown } from '../html.ts'
import { Runs } from '../read/runs.ts'
import { style } from '../report/style.ts'
import { type Guard, guarded, secureHeaders } from './guard.ts'
import { arrowType, openApi } from './openapi.ts'
import { pages } from './pages/index.ts'
import { documentOf } from './pages/page.ts'
import type { Answer, Route, Sources } from './route.ts'
import { routes } from './routes/index.ts'

export interface AppOptions {
  /** Folder of runs. */
  readonly directory: string
  readonly guard: Guard
  readonly version: string
  /** Told of errors that are no one's but the program's. */
  readonly onBug: (error: unknown) => void
}

/** The application, without a port. */
export function createApp({ directory, guard, version, onBug }: AppOptions): Hono {
  const app = new Hono()
  const sources: Sources = { runs: new Runs(directory) }
  app.use(secureHeaders, guarded(guard))
  const document = openApi(routes, version)
  app.get('/api/openapi.json', context => answered(context, { value: document, tag: hashValue(document) }))
  for (const route of routes)
    app.get(routeOf(route.path), async context => {
      const query = route.query.safeParse(queryOf(context))
      if (!query.success) {
        const { path, message } = query.error.issues[0]!
        return context.json(
          { error: `The query is wrong${path.length ? ` at ${path.join('.')}` : ''}: ${message}.` },
          400,
        )
      }
      return answered(
        context,
        await route.handle(sources, context.req.param() as Record<string, string>, query.data),
        route,
      )
    })
  app.get('/style.css', () => new Response(style, { headers: { 'content-type': 'text/css; charset=utf-8' } }))
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

/** A path with `{name}` as the router writes it. */
const routeOf = (path: string) => path.replace(/\{(\w+)\}/g, ':$1')

/** A thing that is not there is 404; what was asked wrongly is 400. */
const statusOf = (error: UserError) => (error instanceof NotThereError ? 404 : 400)

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

/** The answer as it was asked for, or that it is what the asker has. */
function answered(context: Context, { value, tag }: Answer<unknown>, route?: Route): Response {
  const { req } = context
  const asArrow = route?.table !== undefined && (req.header('accept') ?? '').includes(arrowType)
  const etag = tag === null ? undefined : `"${hashValue({ tag, url: req.url, asArrow })}"`
  const headers = { 'cache-control': 'private, no-cache', vary: 'accept', ...(etag && { etag }) }
  if (etag && (req.header('if-none-match') ?? '').split(/\s*,\s*/).includes(etag))
    return new Response(null, { status: 304, headers })
  if (asArrow) {
    const rows = (value as Record<string, Record<string, unknown>[]>)[route.table!]!
    const bytes = arrow.tableToIPC(arrow.tableFromJSON(rows), 'stream')
    return new Response(bytes as Uint8Array<ArrayBuffer>, { headers: { ...headers, 'content-type': arrowType } })
  }
  return new Response(JSON.stringify(value), { headers: { ...headers, 'content-type': 'application/json' } })
}
