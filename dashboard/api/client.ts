/** A client of the API: every route by its name, with the types of what it takes and answers. Runs in Node and in browsers. */
import { type Api, routes } from './types.ts'

/** The routes that answer once, in JSON; a file is had by its address. */
export type RouteName = {
  [Name in keyof Api]: Api[Name]['events'] | Api[Name]['file'] extends never ? Name : never
}[keyof Api]

/** What a question may carry. */
export type Question<Name extends keyof Api> = {
  readonly query?: Api[Name]['query']
  readonly signal?: AbortSignal | undefined
} & (Api[Name]['parts'] extends Record<never, never>
  ? keyof Api[Name]['parts'] extends never
    ? unknown
    : { readonly parts: Api[Name]['parts'] }
  : unknown) &
  (Api[Name]['body'] extends undefined ? unknown : { readonly body: Api[Name]['body'] })

export interface ClientOptions {
  /** Where the server is, such as `http://127.0.0.1:4040`; default: where the page is from. */
  readonly address?: string
  /** The server's token. A page of the server has its cookie, and needs `session` for what computes. */
  readonly token?: string
  readonly session?: string
}

/** A refusal of the server: its sentence, what mends it, and the status. */
export class ApiError extends Error {
  readonly status: number
  readonly fix: string | undefined

  constructor(status: number, message: string, fix: string | undefined) {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.fix = fix
  }
}

/** The address of a route, without that of the server. */
export function addressOf<Name extends keyof Api>(name: Name, { parts, query }: AddressParts): string {
  const path = routes[name].path.replace(/\{(\w+)\}/g, (_, part: string) => {
    const value = parts?.[part]
    if (value === undefined) throw new TypeError(`The route ${name} needs the part ${part}.`)
    return encodeURIComponent(value)
  })
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query ?? {}))
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) search.append(key, String(one))
  return search.size > 0 ? `${path}?${search}` : path
}

interface AddressParts {
  readonly parts?: Readonly<Record<string, string>> | undefined
  readonly query?: Readonly<Record<string, unknown>> | undefined
}

/** A function that asks a route; throws an `ApiError` for a refusal. */
export function createClient({ address = '', token, session }: ClientOptions = {}) {
  return async <Name extends RouteName>(name: Name, question: Question<Name>): Promise<Api[Name]['answer']> => {
    const { method } = routes[name]
    const { body, signal } = question as { body?: unknown; signal?: AbortSignal }
    const response = await fetch(address + addressOf(name, question as AddressParts), {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(session !== undefined && { 'x-pipeline-session': session }),
        ...(method === 'POST' && { 'content-type': 'application/json' }),
      },
      ...(method === 'POST' && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    })
    const answer = (await response.json()) as Api[Name]['answer']
    if (response.ok) return answer
    const { error, fix } = answer as { error?: string; fix?: string }
    throw new ApiError(response.status, error ?? response.statusText, fix)
  }
}
