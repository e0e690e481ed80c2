/** What a route of the API is: its path and query, what it answers, and how it finds that. One file a route, one line in the index. */
import type { z } from 'zod'
import type { Runs } from '../read/runs.ts'

/** What every route may read. */
export interface Sources {
  readonly runs: Runs
}

/** An answer, with what makes it the same answer again: equal tags, equal bytes. Null where that cannot be said. */
export interface Answer<T> {
  readonly value: T
  readonly tag: string | null
}

export interface Route<Query extends z.ZodObject = z.ZodObject, T = unknown> {
  /** With `{name}` for each part that changes; those are texts. */
  readonly path: string
  readonly summary: string
  readonly query: Query
  readonly answer: z.ZodType<T>
  /** Name of the table in the answer that can be had as an Arrow stream, where there is one. */
  readonly table?: string
  handle(sources: Sources, parts: Readonly<Record<string, string>>, query: z.output<Query>): Promise<Answer<T>>
}

/** Types a route; nothing else. */
export function defineRoute<Query extends z.ZodObject, T>(route: Route<Query, T>): Route {
  return route as unknown as Route
}
