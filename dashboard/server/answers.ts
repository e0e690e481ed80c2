/** From what a route gives to what goes over the wire: JSON or Arrow, an ETag, and 304 where the asker has it. */
import * as arrow from 'apache-arrow'
import type { Context } from 'hono'
import { hashValue } from '../../core/hash.ts'
import type { Contract } from '../api/contract.ts'
import { arrowType } from './openapi.ts'
import type { Answer, FileAnswer } from './route.ts'

/** Bytes of answers that are kept because they may be asked for again. */
const keptBytes = 8 * 2 ** 20

/** Answers by their ETag: what has the same tag has the same bytes, and need not be made again. */
export class Answers {
  readonly #kept = new Map<string, string>()
  #characters = 0

  /** The answer as it was asked for, or that it is what the asker has. */
  async send(
    context: Context,
    contract: Pick<Contract, 'table'>,
    answer: Answer<unknown> | FileAnswer,
  ): Promise<Response> {
    const { req } = context
    const asArrow = contract.table !== undefined && (req.header('accept') ?? '').includes(arrowType)
    const { tag } = answer
    const etag =
      tag === null || req.method === 'POST' ? undefined : `"${hashValue({ tag, url: req.url, asArrow }).slice(0, 32)}"`
    const headers = { 'cache-control': 'private, no-cache', vary: 'accept', ...(etag && { etag }) }
    if (etag && isKnown(req.header('if-none-match'), etag)) return new Response(null, { status: 304, headers })
    if ('file' in answer) {
      const { name, type, bytes } = answer.file
      const kept = { 'content-type': type, 'content-disposition': `attachment; filename="${name}"` }
      return new Response(streamOf(bytes()), { headers: { ...headers, ...kept } })
    }
    if (asArrow) {
      const bytes = arrow.tableToIPC(await arrowOf(contract.table!, answer), 'stream')
      return new Response(bytes as Uint8Array<ArrayBuffer>, { headers: { ...headers, 'content-type': arrowType } })
    }
    const text = (etag && this.#find(etag)) ?? JSON.stringify(await answer.value())
    if (etag) this.#keep(etag, text)
    return new Response(text, { headers: { ...headers, 'content-type': 'application/json' } })
  }

  #find(etag: string): string | undefined {
    const text = this.#kept.get(etag)
    if (text === undefined) return undefined
    this.#kept.delete(etag)
    this.#kept.set(etag, text)
    return text
  }

  #keep(etag: string, text: string): void {
    if (this.#kept.has(etag) || 2 * text.length > keptBytes / 8) return
    this.#kept.set(etag, text)
    this.#characters += text.length
    for (const [oldest, { length }] of this.#kept) {
      if (2 * this.#characters <= keptBytes) return
      this.#kept.delete(oldest)
      this.#characters -= length
    }
  }
}

/** Whether the header names the tag, weakly or not, or any (RFC 9110, §13.1.2). */
export const isKnown = (header: string | undefined, etag: string): boolean =>
  (header ?? '').split(',').some(one => ['*', etag].includes(one.trim().replace(/^W\//, '')))

/** Bytes as they are asked for; what makes them is ended when the asker is gone. */
function streamOf(bytes: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(stream) {
      const { value, done } = await bytes.next()
      if (done) stream.close()
      else stream.enqueue(value)
    },
    async cancel() {
      await bytes.return(undefined)
    },
  })
}

/** The answer's table with the types of its file, or, where it is in none, with those that its values show. */
async function arrowOf(table: string, answer: Answer<unknown>): Promise<arrow.Table> {
  if (answer.arrow) return answer.arrow()
  const value = (await answer.value()) as Readonly<Record<string, unknown>>
  return arrow.tableFromJSON(value[table] as Record<string, unknown>[])
}
