/** What asking would take, before anything is sent: requests, tokens (about four bytes each) and, with prices, money. */
import type { ChatRequest } from './client.ts'
import type { ExplainConfig } from './config.ts'

export interface Estimate {
  readonly requests: number
  /** Tokens that are sent, and received at most. */
  readonly promptTokens: number
  readonly completionTokens: number
  /** Price at most, in the unit of the prices; null without prices. */
  readonly price: number | null
}

/** Bytes of a token of most tokenizers in English; other scripts take more tokens than this says. */
const bytesPerToken = 4
/** Tokens that a protocol adds to a message. */
const perMessage = 4

/** Sums what requests would take. */
export function estimateOf(requests: Iterable<ChatRequest>, { priceInput, priceOutput }: ExplainConfig): Estimate {
  let [count, prompt, completion] = [0, 0, 0]
  for (const { messages, max_tokens } of requests) {
    count++
    completion += max_tokens
    for (const { content } of messages) prompt += perMessage + Math.ceil(Buffer.byteLength(content) / bytesPerToken)
  }
  const priced = priceInput !== undefined || priceOutput !== undefined
  const price = priced ? (prompt * (priceInput ?? 0) + completion * (priceOutput ?? 0)) / 1e6 : null
  return { requests: count, promptTokens: prompt, completionTokens: completion, price }
}

/** The estimate in a sentence. */
export function estimateText({ requests, promptTokens, completionTokens, price }: Estimate, endpoint: string): string {
  const number = (value: number) => value.toLocaleString('en-US')
  const money = price === null ? 'no prices given' : `${price.toFixed(2)} at most at the prices given`
  return `Asking ${endpoint} takes about ${number(requests)} requests, ${number(promptTokens)} tokens sent and ${number(completionTokens)} received at most (${money}).`
}
