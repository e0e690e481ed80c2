/** Whoever asks the language model: through the cache, so many at once, so many a minute, each request once. */
import pLimit from 'p-limit'
import type { AnswerCache } from './cache.ts'
import { askChat, type ChatAnswer, type ChatOptions, type ChatRequest } from './client.ts'

/** What was asked so far. */
export interface Asked {
  readonly requests: number
  /** Of these, answered by the cache. */
  readonly kept: number
  readonly promptTokens: number
  readonly completionTokens: number
}

/** Asks requests. */
export interface Asking {
  ask(request: ChatRequest): Promise<ChatAnswer>
  readonly asked: Asked
}

/**
 * Asks through `cache` with at most `concurrency` requests under way. Equal requests share one answer. Where one is given up, those
 * that still wait are too: a server that is gone is not waited for by each of thousands.
 */
export function askingThrough(cache: AnswerCache, options: ChatOptions, concurrency: number): Asking {
  const limit = pLimit(concurrency)
  const open = new Map<string, Promise<ChatAnswer>>()
  const asked = { requests: 0, kept: 0, promptTokens: 0, completionTokens: 0 }
  let givenUp: { readonly because: unknown } | undefined
  const send = async (request: ChatRequest) => {
    if (givenUp) throw givenUp.because
    return askChat(request, options).catch(error => {
      givenUp ??= { because: error }
      throw error
    })
  }
  const answer = async (request: ChatRequest) => {
    const kept = await cache.get(request)
    const found = kept ?? (await send(request))
    if (!kept) await cache.put(request, found)
    asked.requests++
    if (kept) asked.kept++
    asked.promptTokens += found.promptTokens ?? 0
    asked.completionTokens += found.completionTokens ?? 0
    return found
  }
  return {
    asked,
    ask(request) {
      const place = cache.place(request)
      const found = open.get(place) ?? limit(() => answer(request))
      open.set(place, found)
      return found
    },
  }
}
