/** A server in this process that speaks as much of S3's protocol as object stores need, and fails where a test asks it to. */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

export interface S3Server {
  readonly endpoint: string
  readonly objects: Map<string, Buffer>
  /** `METHOD key` of every request so far. */
  readonly requests: string[]
  /** Whether `If-None-Match: *` is heeded; some places do not know it. */
  conditional: boolean
  /** Answers that come instead of the right ones, first ones first: a status, or a body cut short. */
  readonly faults: (number | 'cut')[]
  close(): Promise<void>
}

/** Names in a page of a list: few, so that there are several. */
const pageSize = 3

export async function startS3Server(): Promise<S3Server> {
  const objects = new Map<string, Buffer>()
  const uploads = new Map<string, Map<number, Buffer>>()
  const state: Pick<S3Server, 'conditional' | 'faults' | 'requests'> = { conditional: true, faults: [], requests: [] }
  const server = createServer((request, response) => {
    answer(request, response).catch(error => response.writeHead(500).end(String(error)))
  })
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request)
    const url = new URL(request.url!, 'http://server')
    const [, bucket, ...rest] = url.pathname.split('/')
    const key = decodeURIComponent(rest.join('/'))
    const method = request.method!
    const header = (name: string) => String(request.headers[name] ?? '')
    const reply = (status: number, text: string | Buffer = '', headers: Record<string, string> = {}) =>
      response.writeHead(status, { 'content-length': String(text.length), ...headers }).end(text)
    const refuse = (status: number, code: string) =>
      reply(status, `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`)
    state.requests.push(`${method} ${key}`)
    const fault = state.faults.shift()
    if (typeof fault === 'number') return void refuse(fault, 'SlowDown')
    if (bucket !== 'bucket') return void refuse(404, 'NoSuchBucket')
    if (!header('authorization').startsWith('AWS4-HMAC-SHA256 Credential=key/')) return void refuse(403, 'AccessDenied')
    const sum = header('x-amz-content-sha256')
    if (/^[0-9a-f]{64}$/.test(sum) && sum !== createHash('sha256').update(body).digest('hex'))
      return void refuse(400, 'XAmzContentSHA256Mismatch')

    const upload = url.searchParams.get('uploadId')
    if (method === 'POST' && url.searchParams.has('uploads')) {
      const id = `upload${uploads.size}`
      uploads.set(id, new Map())
      return void reply(
        200,
        `<InitiateMultipartUploadResult><Bucket>bucket</Bucket><Key>${key}</Key><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
      )
    }
    if (method === 'PUT' && upload) {
      uploads.get(upload)!.set(Number(url.searchParams.get('partNumber')), body)
      return void reply(200, '', { etag: `"part${url.searchParams.get('partNumber')}"` })
    }
    if (method === 'POST' && upload) {
      const parts = [...uploads.get(upload)!].sort(([a], [b]) => a - b).map(([, part]) => part)
      objects.set(key, Buffer.concat(parts))
      return void reply(
        200,
        `<CompleteMultipartUploadResult><Location>l</Location><Bucket>bucket</Bucket><Key>${key}</Key><ETag>"e"</ETag></CompleteMultipartUploadResult>`,
      )
    }
    if (method === 'PUT') {
      if (state.conditional && header('if-none-match') === '*' && objects.has(key))
        return void refuse(412, 'PreconditionFailed')
      objects.set(key, body)
      return void reply(200, '', { etag: '"e"' })
    }
    if (method === 'DELETE') {
      objects.delete(key)
      return void reply(204)
    }
    if (key === '') return void reply(200, listing(url))
    const found = objects.get(key)
    if (!found) return void refuse(404, 'NoSuchKey')
    if (method === 'HEAD')
      return void response.writeHead(200, { 'content-length': String(found.length), etag: '"e"' }).end()
    const range = /^bytes=(\d+)-(\d+)$/.exec(header('range'))
    const sent = range ? found.subarray(Number(range[1]), Number(range[2]) + 1) : found
    if (fault === 'cut') {
      response.writeHead(200, { 'content-length': String(sent.length) })
      response.write(sent.subarray(0, sent.length >> 1))
      return void response.socket!.destroy()
    }
    reply(range ? 206 : 200, sent, { etag: '"e"' })
  }
  const listing = (url: URL) => {
    const prefix = url.searchParams.get('prefix') ?? ''
    const after = url.searchParams.get('continuation-token') ?? ''
    const names = [...objects.keys()].filter(name => name.startsWith(prefix) && name > after).sort()
    const page = names.slice(0, pageSize)
    const entries = page.map(
      name => `<Contents><Key>${name}</Key><Size>${objects.get(name)!.length}</Size><ETag>"e"</ETag></Contents>`,
    )
    const more = names.length > page.length
    return `<?xml version="1.0"?><ListBucketResult><Name>bucket</Name><KeyCount>${page.length}</KeyCount><IsTruncated>${more}</IsTruncated>${entries.join('')}${more ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : ''}</ListBucketResult>`
  }
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  return Object.assign(state, {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    close: () => new Promise<void>(done => server.close(() => done())),
  })
}
