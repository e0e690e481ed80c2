/**
 * Chat completions: one request and its answer, again where a fault may pass, and as a sentence where it does not. The key
 * goes into the head of requests to the named server alone: redirects are not followed, and nothing that is thrown holds it.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { z } from 'zod'
import { FaultError, InterruptedError, messageOf, UserError } from '../../core/errors.ts'
import { uniformOf } from '../../core/random.ts'
import { clip, visible } from '../../core/visible.ts'

/** What is asked: everything that an answer may depend on. */
export interface ChatRequest {
  readonly model: string
  readonly messages: readonly { readonly role: 'system' | 'user'; readonly content: string }[]
  readonly temperature: number
  readonly max_tokens: number
  readonly seed: number
}

/** What was answered. */
export interface ChatAnswer {
  readonly text: string
  /** Whether it was cut at `max_tokens`. */
  readonly cut: boolean
  /** Tokens as the server counts them; null where it does not. */
  readonly promptTokens: number | null
  readonly completionTokens: number | null
}

export interface ChatOptions {
  readonly endpoint: string
  readonly key: string | undefined
  readonly signal: AbortSignal
  /** Milliseconds within which an answer must be whole. */
  readonly timeout: number
  readonly tries: number
  /** First pause in milliseconds, which doubles with each try; default 500. */
  readonly pause?: number
  /** Waits before a request starts; absent: it starts at once. */
  readonly turn?: (signal: AbortSignal) => Promise<void>
}

/** Longest pause that is waited through, in milliseconds; a server that asks for more is given up for now. */
const longestPause = 5 * 60_000
/** Bytes of an answer at most. */
const longestAnswer = 4_000_000

const Answer = z.object({
  choices: z
    .array(z.object({ message: z.object({ content: z.string().nullable() }), finish_reason: z.string().nullish() }))
    .min(1),
  usage: z.object({ prompt_tokens: z.int().min(0), completion_tokens: z.int().min(0) }).nullish(),
})

/** A fault that may pass, and how long the server asks to be left alone. */
class Passing extends Error {
  readonly after: number | undefined
  constructor(message: string, after?: number) {
    super(message)
    this.after = after
  }
}

/**
 * Sends a request until it is answered. Throws a `FaultError` where `tries` were not enough, a `UserError` for what no try
 * would mend, an `InterruptedError` on Ctrl-C. Pauses have full jitter from the request itself and honour Retry-After.
 */
export async function askChat(request: ChatRequest, options: ChatOptions): Promise<ChatAnswer> {
  const { endpoint, signal, tries, pause = 500, turn } = options
  const body = JSON.stringify(request)
  for (let again = 0; ; again++) {
    if (signal.aborted) throw interrupted()
    try {
      await turn?.(signal)
      return await attempt(body, options)
    } catch (error) {
      if (signal.aborted) throw interrupted()
      if (!(error instanceof Passing)) throw error
      const drawn = Math.min(30_000, pause * 2 ** again) * uniformOf('pause', body, again)
      const rest = Math.max(error.after ?? 0, drawn)
      if (again + 1 >= tries || rest > longestPause)
        throw new FaultError(`The server ${endpoint} ${withoutKey(error.message, options.key)}.`, {
          fix: `Start the same command again ${rest > longestPause ? `in ${Math.ceil(rest / 60_000)} minutes` : 'later'}; answers that came are kept.`,
        })
      await wait(rest, undefined, { signal }).catch(() => {
        throw interrupted()
      })
    }
  }
}

async function attempt(body: string, { endpoint, key, signal, timeout }: ChatOptions): Promise<ChatAnswer> {
  const limit = AbortSignal.timeout(timeout)
  let status: number
  let text: string
  let type: string
  let after: number | undefined
  try {
    const answer = await fetch(`${endpoint.replace(/\/+$/, '')}/chat/completions`, {
      method: 'POST',
      redirect: 'manual',
      headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) },
      body,
      signal: AbortSignal.any([signal, limit]),
    })
    status = answer.status
    type = answer.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? ''
    after = retryAfter(answer.headers.get('retry-after'))
    text = await bodyOf(answer)
  } catch (error) {
    if (error instanceof Passing || error instanceof UserError) throw error
    if (limit.aborted) throw new Passing(`did not answer within ${timeout / 1000} seconds`)
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    throw new Passing(`cannot be reached (${messageOf(cause)})`)
  }
  if (status === 429 || status === 408 || status === 409 || status >= 500) throw new Passing(`answers ${status}`, after)
  if (status < 200 || status >= 300) throw refused(status, text, endpoint, key)
  return answerOf(text, { endpoint, key, type })
}

async function bodyOf(answer: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of answer.body ?? []) {
    parts.push(part)
    size += part.length
    if (size > longestAnswer) throw new Passing(`sends an answer of more than ${longestAnswer} bytes`)
  }
  return Buffer.concat(parts).toString('utf8')
}

/** Where an answer is from, and its media type. */
interface From extends Pick<ChatOptions, 'endpoint' | 'key'> {
  readonly type: string
}

/** What some servers send as an answer where they have none. */
const Problem = z.looseObject({ error: z.looseObject({ message: z.string() }) })

/** An answer that is no JSON of the protocol may have been cut on its way, so that another try may bring it whole. */
function answerOf(text: string, { endpoint, key, type }: From): ChatAnswer {
  // No other try would bring another form.
  if (type === 'text/html')
    throw new UserError(`The server ${endpoint} answers with a page of HTML.`, {
      fix: 'Check explainer.endpoint: it is the address of the API, which often ends in /v1.',
    })
  if (type === 'text/event-stream')
    throw new UserError(`The server ${endpoint} streams its answers, though no stream was asked for.`, {
      fix: 'Give an endpoint that answers in one piece.',
    })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Passing('sends an answer that is not whole JSON')
  }
  const parsed = Answer.safeParse(value)
  if (!parsed.success) {
    const problem = Problem.safeParse(value)
    const said = problem.success ? clip(visible(withoutKey(problem.data.error.message, key)), 300) : ''
    throw new Passing(`sends an answer that is no chat completion${said && `, but an error: ${said}`}`)
  }
  const { choices, usage } = parsed.data
  const { message, finish_reason } = choices[0]!
  return {
    text: message.content ?? '',
    cut: finish_reason === 'length',
    promptTokens: usage?.prompt_tokens ?? null,
    completionTokens: usage?.completion_tokens ?? null,
  }
}

function refused(status: number, text: string, endpoint: string, key: string | undefined): UserError {
  const said = clip(visible(withoutKey(text, key)).trim(), 300)
  const what = said === '' ? '' : `: ${said}`
  if (status >= 300 && status < 400)
    return new UserError(`The server ${endpoint} sends requests elsewhere (${status}), which is not followed.`, {
      fix: 'Give the address that it sends them to as explainer.endpoint.',
    })
  const fix =
    status === 401 || status === 403
      ? `Check the key in the variable that explainer.keyVariable names${key === undefined ? '; none was sent' : ''}.`
      : status === 404
        ? 'Check explainer.endpoint and the names of the models.'
        : 'Check what the server takes: model names, maxTokens, context.'
  return new UserError(`The server ${endpoint} refuses (${status})${what}`, { fix })
}

/** A text in which the key cannot be read, were it in there. */
const withoutKey = (text: string, key: string | undefined): string =>
  key === undefined || key === '' ? text : text.replaceAll(key, '[key]')

/** Milliseconds that Retry-After asks for: seconds or a date (RFC 9110, 10.2.3). */
export function retryAfter(value: string | null, now = Date.now()): number | undefined {
  if (value === null) return undefined
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1000
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

function interrupted(): InterruptedError {
  return new InterruptedError('Asking the language model was interrupted.', {
    fix: 'Start the same command again; answers that came are kept.',
  })
}
