/** Answers by the content of their requests, a file each: a request that was answered once is not sent again. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { readJson, writeJson } from '../../core/files.ts'
import { canonicalJson, sha256 } from '../../core/hash.ts'
import type { ChatAnswer, ChatRequest } from './client.ts'

const schema = 1
const Kept = z.strictObject({
  schema: z.literal(schema),
  text: z.string(),
  cut: z.boolean(),
  promptTokens: z.int().min(0).nullable(),
  completionTokens: z.int().min(0).nullable(),
})

/** Answers that were kept. A file that is damaged or of another version is as good as none, and is written anew. */
export class AnswerCache {
  readonly #folder: string
  readonly #endpoint: string

  constructor(folder: string, endpoint: string) {
    this.#folder = folder
    this.#endpoint = endpoint
  }

  /** Where the answer of a request is: it depends on the server's address and on all that is sent, but for the key. */
  place(request: ChatRequest): string {
    const hash = sha256(canonicalJson({ endpoint: this.#endpoint, request }))
    return join(this.#folder, hash.slice(0, 2), `${hash}.json`)
  }

  async get(request: ChatRequest): Promise<ChatAnswer | undefined> {
    const path = this.place(request)
    if (!existsSync(path)) return undefined
    const value = await readJson(path, 'kept answer').catch(() => undefined)
    const parsed = Kept.safeParse(value)
    if (!parsed.success) return undefined
    const { schema: _, ...answer } = parsed.data
    return answer
  }

  async put(request: ChatRequest, answer: ChatAnswer): Promise<void> {
    await writeJson(this.place(request), { schema, ...answer })
  }
}
