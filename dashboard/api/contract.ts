/**
 * What a route of the API promises: its path, what may be asked, and what is answered. One file of contracts a subject, one line
 * in the index; the server answers them, the OpenAPI document and the types of programs that ask are made from them.
 */
import { z } from 'zod'

/** How a route is asked. `GET` only reads files; `POST` computes, on one machine one thing at a time. */
export type Method = 'GET' | 'POST'

/** A route's contract. */
export interface Contract<
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodType,
  Answer extends z.ZodType = z.ZodType,
> {
  /** The operation's name, one of a kind. */
  readonly name: string
  readonly method: Method
  /** With `{name}` for each part that changes; those are texts. */
  readonly path: string
  readonly summary: string
  readonly query: Query
  /** The JSON body of a POST. */
  readonly body: Body
  readonly answer: Answer
  /** Name of the table in the answer that can be had as an Arrow stream, where there is one. */
  readonly table?: string
  /** Set where the answer is a stream of server-sent events: `answer` is then the data of any one event. */
  readonly events?: readonly string[]
  /** Set where the answer is a file to keep, of any length, in one of these media types: `answer` is then any one row of it. */
  readonly file?: readonly string[]
}

/** What a contract says, with defaults: GET, no query, no body. */
type Said<Query extends z.ZodObject, Body extends z.ZodType, Answer extends z.ZodType> = Omit<
  Contract<Query, Body, Answer>,
  'method' | 'query' | 'body'
> & { readonly query?: Query; readonly body?: Body }

/** No body. */
export const nothing = z.undefined()

const none = z.strictObject({})

/** A route that reads. */
export function reads<Answer extends z.ZodType, Query extends z.ZodObject = typeof none>(
  said: Said<Query, typeof nothing, Answer>,
): Contract<Query, typeof nothing, Answer> {
  return { ...said, method: 'GET', query: said.query ?? (none as unknown as Query), body: nothing }
}

/** A route that computes. */
export function computes<Body extends z.ZodType, Answer extends z.ZodType>(
  said: Omit<Contract<typeof none, Body, Answer>, 'method' | 'query'>,
): Contract<typeof none, Body, Answer> {
  return { ...said, method: 'POST', query: none }
}

/** A whole number in a query. */
export const whole = (least: number, most: number) => {
  const error = `it must be a whole number from ${least} to ${most}`
  return z.coerce.number({ error }).int({ error }).min(least, { error }).max(most, { error })
}

/** One text or several: a query parameter that may come more than once. */
export const several = z
  .union([z.string(), z.array(z.string())])
  .default([])
  .transform(value => (Array.isArray(value) ? value : [value]))

/** Which part of a list is asked for. */
export const pageOf = (most: number, usual: number) => ({
  cursor: z.string().max(500).optional().describe('`next` of the last answer, to go on behind it'),
  limit: whole(1, most).default(usual).describe('Entries to give at most'),
})

/** How a list ends: how many entries there are in all, and the cursor of what follows; null at the end. */
export const pageEnd = { total: z.int(), next: z.string().nullable() }

/** A number, or null where there is none. */
export const number = z.number().nullable()

/** A row of a table, by column. */
export const Row = z.record(z.string(), z.unknown())

/** Where a value is to be found again: a file of a run and what its rows or keys are. */
export const Source = z.strictObject({
  run: z.string(),
  file: z.string(),
  /** As its manifest records it. */
  sha256: z.string().nullable(),
  /** Columns and values of its rows, or the path within a JSON file. */
  where: z.string(),
})
