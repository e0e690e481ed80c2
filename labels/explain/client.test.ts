import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FaultError, InterruptedError, UserError } from '../../core/errors.ts'
import { askingThrough } from './asking.ts'
import { AnswerCache } from './cache.ts'
import { answering, type ChatServer, completion, startChatServer } from './chat-server.fixture.ts'
import { askChat, type ChatOptions, type ChatRequest, retryAfter } from './client.ts'
import { turns } from './rate.ts'

let server: ChatServer
beforeAll(async () => {
  server = await startChatServer()
})
afterAll(() => server.close())

const key = 'sk-secret-0123456789'
const request: ChatRequest = {
  ...{ model: 'm', messages: [{ role: 'user', content: 'x' }], temperature: 0, max_tokens: 9, seed: 1 },
}
const ask = (more: Partial<ChatOptions> = {}) =>
  askChat(request, {
    ...{ endpoint: server.endpoint, key, signal: new AbortController().signal, timeout: 2000, tries: 3, pause: 1 },
    ...more,
  })
const failure = (work: Promise<unknown>): Promise<UserError> =>
  work.then(
    () => {
      throw new Error('It did not fail.')
    },
    error => error,
  )

test('an answer comes with its text, and the request with the key', async () => {
  server.behave(() => 'yes')
  expect(await ask()).toEqual({ text: 'yes', cut: false, promptTokens: 10, completionTokens: 2 })
  expect(server.keys).toEqual([`Bearer ${key}`])
  server.behave(() => answering(200, completion('ye', 'length')))
  expect(await ask()).toMatchObject({ text: 'ye', cut: true })
  await ask({ key: undefined })
  expect(server.keys[1]).toBeUndefined()
})

describe('what no other try would mend is said at once', () => {
  test.each([
    ['a page', answering(200, '<html>', { 'content-type': 'text/html; charset=utf-8' }), 'page of HTML'],
    ['a stream', answering(200, 'data: {}', { 'content-type': 'text/event-stream' }), 'streams its answers'],
  ])('%s', async (_, answer, said) => {
    server.behave(() => answer)
    const error = await failure(ask())
    expect(error).not.toBeInstanceOf(FaultError)
    expect(error.message).toContain(said)
    expect(server.requests).toHaveLength(1)
  })

  test('and an error in the place of an answer with its words, but for the key', async () => {
    server.behave(() => answering(200, JSON.stringify({ error: { message: `${key} has \u202eno credit` } })))
    const error = await failure(ask())
    expect(error.message).toContain('but an error: [key] has \\u202eno credit')
    expect(server.requests).toHaveLength(3)
  })
})

describe('what may pass is tried again', () => {
  const bad = {
    'a fault of the server': answering(503, 'busy'),
    'too many requests': answering(429, ''),
    'half an answer': answering(200, completion('yes').slice(0, 20)),
    'an answer of another protocol': answering(200, '{"answer": "yes"}'),
    'a connection that ends': (response: Parameters<ReturnType<typeof answering>>[0]) => response.destroy(),
  }
  test.each(Object.entries(bad))('%s', async (_, answer) => {
    server.behave((_, count) => (count < 3 ? answer : 'yes'))
    expect(await ask()).toMatchObject({ text: 'yes' })
    server.behave(() => answer)
    const error = await failure(ask())
    expect(error).toBeInstanceOf(FaultError)
    expect(error.fix).toContain('answers that came are kept')
    expect(server.requests).toHaveLength(3)
  })

  test('a server that stalls, after so long', async () => {
    server.behave(() => () => {})
    const error = await failure(ask({ timeout: 50, tries: 2 }))
    expect(error).toBeInstanceOf(FaultError)
    expect(error.message).toMatch(/did not answer within 0\.05 seconds/)
  })

  test('no sooner than Retry-After says, and not where it says too long', async () => {
    server.behave((_, count) => (count === 1 ? answering(429, '', { 'retry-after': '1' }) : 'yes'))
    const start = performance.now()
    await ask()
    expect(performance.now() - start).toBeGreaterThan(990)
    server.behave(() => answering(429, '', { 'retry-after': '3600' }))
    const error = await failure(ask())
    expect(error.fix).toContain('in 60 minutes')
    expect(server.requests).toHaveLength(1)
  })
})

test('Retry-After is seconds or a date', () => {
  expect(retryAfter(null)).toBeUndefined()
  expect(retryAfter('2')).toBe(2000)
  expect(retryAfter('Thu, 01 Jan 1970 00:00:05 GMT', 2000)).toBe(3000)
  expect(retryAfter('Thu, 01 Jan 1970 00:00:05 GMT', 9000)).toBe(0)
  expect(retryAfter('soon')).toBeUndefined()
})

describe('what no try would mend is told at once, without the key', () => {
  test.each([
    [401, 'Check the key'],
    [404, 'names of the models'],
    [400, 'Check what the server takes'],
  ])('%i', async (status, fix) => {
    server.behave(() => answering(status, `no: the key ${key} is wrong\u001b[2J`))
    const error = await failure(ask())
    expect(error).toBeInstanceOf(UserError)
    expect(error.fix).toContain(fix)
    expect(error.message).toContain('[key]')
    expect(`${error.message}${error.fix}${error.stack}${String(error.cause)}`).not.toContain(key)
    expect(error.message).not.toContain('\u001b')
    expect(server.requests).toHaveLength(1)
  })

  test('a redirect, which would carry the key elsewhere', async () => {
    const other = await startChatServer()
    try {
      other.behave(() => 'got it')
      server.behave(() => answering(307, '', { location: `${other.endpoint}/chat/completions` }))
      expect((await failure(ask())).message).toContain('sends requests elsewhere (307)')
      expect(other.requests).toHaveLength(0)
    } finally {
      await other.close()
    }
  })
})

test('Ctrl-C ends a request under way, and one that waits', async () => {
  const stop = new AbortController()
  server.behave(() => () => stop.abort())
  expect(await failure(ask({ signal: stop.signal }))).toBeInstanceOf(InterruptedError)
  const later = new AbortController()
  server.behave(() => answering(429, '', { 'retry-after': '60' }))
  const waiting = failure(ask({ signal: later.signal }))
  setTimeout(() => later.abort(), 50)
  expect(await waiting).toBeInstanceOf(InterruptedError)
})

test('requests start so many a minute', async () => {
  const turn = turns(6000, () => 0)
  const start = performance.now()
  await Promise.all([1, 2, 3, 4].map(() => turn(new AbortController().signal)))
  expect(performance.now() - start).toBeGreaterThan(28)
})

test('of many requests, those that wait are given up with the first one that is', async () => {
  server.behave(() => answering(503, ''))
  const options = {
    endpoint: server.endpoint,
    key,
    signal: new AbortController().signal,
    timeout: 2000,
    tries: 2,
    pause: 1,
  }
  const asking = askingThrough(new AnswerCache(join(tmpdir(), 'no-such-answers'), server.endpoint), options, 2)
  const work = Array.from({ length: 50 }, (_, seed) => failure(asking.ask({ ...request, seed })))
  for (const error of await Promise.all(work)) expect(error.message).toContain('answers 503')
  // Two under way, each tried twice, and one that began meanwhile.
  expect(server.requests.length).toBeLessThanOrEqual(6)
})
