/** How the server answers a contract: one file a subject, one line in the index. Handlers see questions that were checked. */
import type * as arrow from 'apache-arrow'
import type { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import type { Contract } from '../api/contract.ts'
import type { Runs } from '../read/runs.ts'
import type { Compute } from './compute.ts'

/** What every route may read and use. */
export interface Sources {
  readonly runs: Runs
  /** Undefined where the server only reads. */
  readonly compute: Compute | undefined
  readonly version: string
  /** What a page of this server sends with a POST. */
  readonly session: string
}

/** An answer, with what makes it the same answer again: equal tags, equal bytes. Null where that cannot be said. */
export interface Answer<T> {
  readonly tag: string | null
  /** Made only where the asker does not have it. */
  value(): T | Promise<T>
  /** The answer's table as Arrow, where the contract has one. */
  arrow?(): Promise<arrow.Table>
}

/** An answer that is a file to keep, where the contract says so; its bytes are made as they are read. */
export interface FileAnswer extends Pick<Answer<unknown>, 'tag'> {
  readonly file: { readonly name: string; readonly type: string; bytes(): AsyncGenerator<Uint8Array> }
}

/** A question as it comes: parts of the path as texts, the query as texts, the body as JSON. */
export interface Question {
  readonly parts: Readonly<Record<string, string>>
  readonly query: unknown
  readonly body: unknown
  /** Aborted when the asker is gone. */
  readonly signal: AbortSignal
}

/** A question that was checked. */
export interface Checked<Query, Body> extends Omit<Question, 'query' | 'body'> {
  readonly query: Query
  readonly body: Body
}

/** A route that answers. */
export interface Route {
  readonly contract: Contract
  answer(sources: Sources, question: Question): Promise<Answer<unknown> | FileAnswer>
}

type Answered<T> = Answer<T> | FileAnswer

/** A contract and how it is answered. */
export function defineRoute<Query extends z.ZodObject, Body extends z.ZodType, Value extends z.ZodType>(
  contract: Contract<Query, Body, Value>,
  handle: (
    sources: Sources,
    question: Checked<z.output<Query>, z.output<Body>>,
  ) => Answered<z.input<Value>> | Promise<Answered<z.input<Value>>>,
): Route {
  return {
    contract,
    async answer(sources, question) {
      const query = checked('query', contract.query, question.query)
      const body = checked('body', contract.body, question.body)
      return handle(sources, { ...question, query, body })
    },
  }
}

/** The value as the schema has it; a `UserError` names the key and the rule. */
export function checked<Type extends z.ZodType>(what: 'query' | 'body', type: Type, value: unknown): z.output<Type> {
  const result = type.safeParse(value)
  if (result.success) return result.data
  const { path, message } = result.error.issues[0]!
  throw new UserError(`The ${what} is wrong${path.length > 0 ? ` at ${path.join('.')}` : ''}: ${message}.`, {
    fix: 'GET /api/openapi.json says what each route takes.',
  })
}
