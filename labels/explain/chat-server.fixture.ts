/** A server of the protocol of chat completions, which answers as a test says, well or badly. */
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ChatRequest } from './client.ts'

/** What the server does with a request: a text to answer, or anything with the response itself. */
export type Behaviour = (request: ChatRequest, count: number) => string | ((response: ServerResponse) => void)

export interface ChatServer {
  readonly endpoint: string
  readonly requests: ChatRequest[]
  /** The head `authorization` of every request. */
  readonly keys: (string | undefined)[]
  behave(behaviour: Behaviour): void
  close(): Promise<void>
}

/** A whole answer. */
export const completion = (content: string, finish = 'stop') =>
  JSON.stringify({
    choices: [{ message: { role: 'assistant', content }, finish_reason: finish }],
    usage: { prompt_tokens: 10, completion_tokens: 2 },
  })

/** An answer of this status and body. */
export const answering =
  (status: number, body: string, head: Record<string, string> = {}) =>
  (response: ServerResponse) =>
    response.writeHead(status, head).end(body)

export async function startChatServer(): Promise<ChatServer> {
  let behaviour: Behaviour = () => 'nothing'
  const requests: ChatRequest[] = []
  const keys: (string | undefined)[] = []
  const server: Server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const asked = JSON.parse(Buffer.concat(parts).toString()) as ChatRequest
    requests.push(asked)
    keys.push(request.headers.authorization)
    const answer = behaviour(asked, requests.length)
    if (typeof answer === 'string') response.writeHead(200).end(completion(answer))
    else answer(response)
  })
  await new Promise<void>(ready => server.listen(0, '127.0.0.1', ready))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    keys,
    behave(next) {
      behaviour = next
      requests.length = 0
      keys.length = 0
    },
    close() {
      server.closeAllConnections()
      return new Promise(closed => server.close(() => closed()))
    },
  }
}

/** The key under which a request wants its answer, and the JSON lines that it is about. */
export function partsOf({ messages }: ChatRequest): {
  readonly key: string
  readonly lines: Record<string, unknown>[]
} {
  const [system, user] = messages
  return {
    key: /"(reply_[0-9a-f]+)"/.exec(system!.content)![1]!,
    lines: user!.content.split('\n').map(line => JSON.parse(line)),
  }
}
