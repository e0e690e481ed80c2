import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FaultError, InterruptedError, UserError } from '../errors.ts'
import { silent } from '../progress.ts'
import { cacheFolder } from './cache.ts'
import { type PullOptions, pull } from './pull.ts'
import { mustBeInside, repositoryOf } from './repository.ts'

const commit = 'c'.repeat(40)
const token = 'hf_a-secret-of-the-tests'
const large = Buffer.alloc(200_000, 7)
const contents: Record<string, Buffer> = {
  'config.json': Buffer.from('{"model_type":"llama"}\n'),
  'onnx/model.onnx': Buffer.from('not wanted'),
  'model.safetensors': large,
}
const git = (bytes: Buffer) => createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

interface Asked {
  readonly path: string
  readonly range: string | undefined
  readonly authorization: string | undefined
}

/** A server that speaks the hub's API, and misbehaves as a test asks. */
let server: Server
let hub: string
let asked: Asked[] = []
let misbehave: (request: IncomingMessage, response: ServerResponse, body: Buffer) => boolean = () => false
let listing: unknown[] = []

// One of its own for each test: a request that an earlier one gave up may still come in.
beforeEach(async () => {
  const heard: Asked[] = []
  asked = heard
  server = createServer((request, response): unknown => {
    const url = new URL(request.url!, 'http://hub')
    const { range, authorization } = request.headers
    heard.push({ path: url.pathname, range, authorization })
    const json = (value: unknown) => response.setHeader('content-type', 'application/json').end(JSON.stringify(value))
    if (url.pathname === '/api/models/us/ours/revision/main') return json({ id: 'us/ours', sha: commit })
    if (url.pathname === '/api/models/us/gone/revision/main') return response.writeHead(404).end()
    if (url.pathname === '/api/models/us/private/revision/main') return response.writeHead(401).end()
    if (url.pathname === `/api/models/us/ours/tree/${commit}`) {
      const page = Number(url.searchParams.get('cursor') ?? 0)
      if (page + 1 < listing.length)
        response.setHeader('link', `<${hub}${url.pathname}?recursive=true&cursor=${page + 1}>; rel="next"`)
      return json([listing[page]])
    }
    const body = contents[url.pathname.replace(`/us/ours/resolve/${commit}/`, '')]
    if (!body) return response.writeHead(404).end()
    if (misbehave(request, response, body)) return undefined
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0)
    if (from > 0) response.writeHead(206, { 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` })
    return response.end(body.subarray(from))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  hub = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(() => {
  server.close()
  server.closeAllConnections()
})

let cache: string
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'hub-'))
  misbehave = () => false
  listing = Object.entries(contents).map(([path, bytes]) => ({
    ...{ type: 'file', path, size: bytes.length, oid: git(bytes) },
    ...(path.endsWith('.safetensors') ? { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 130 } } : {}),
  }))
})
afterEach(() => rmSync(cache, { recursive: true, force: true }))

const options = (more: Partial<PullOptions> = {}): PullOptions => ({
  repository: repositoryOf('model', 'us/ours'),
  wants: path => !path.startsWith('onnx/'),
  ...{ hub, cache, offline: false, token: undefined, signal: new AbortController().signal, progress: silent },
  ...{ tries: 3, pause: 1, patience: 2000 },
  ...more,
})
const blobs = () => join(cache, 'models--us--ours', 'blobs')
/** Cuts a connection once the file that is pulled over it holds more than `from` bytes of it. */
function cutOnceKept(response: ServerResponse, from: number): void {
  const kept = statSync(join(blobs(), `${sha256(large)}.incomplete`), { throwIfNoEntry: false })?.size ?? 0
  if (kept > from) response.destroy()
  else setTimeout(cutOnceKept, 5, response, from)
}
const resolved = (path: string) => asked.filter(one => one.path.endsWith(`/resolve/${commit}/${path}`))

describe('a pull', () => {
  test('puts what is wanted into the layout of Hugging Face’s own cache', async () => {
    const found = await pull(options())
    expect(found).toMatchObject({ commit, files: 2, bytes: 200_023, fetched: 200_023 })
    expect(readFileSync(join(found.directory, 'config.json'))).toEqual(contents['config.json'])
    expect(readFileSync(join(found.directory, 'model.safetensors')).equals(large)).toBe(true)
    expect(existsSync(join(found.directory, 'onnx'))).toBe(false)
    expect(readFileSync(join(cache, 'models--us--ours', 'refs', 'main'), 'utf8')).toBe(commit)
    expect(statSync(join(blobs(), sha256(large))).size).toBe(large.length)
  })

  test('fetches nothing that is there, and offline asks nobody', async () => {
    const first = await pull(options())
    asked.length = 0
    expect((await pull(options())).fetched).toBe(0)
    expect(asked.filter(({ path }) => path.includes('/resolve/'))).toEqual([])
    asked.length = 0
    expect((await pull(options({ offline: true }))).directory).toBe(first.directory)
    expect(asked).toEqual([])
    const elsewhere = options({ offline: true, repository: repositoryOf('model', 'us/theirs') })
    await expect(pull(elsewhere)).rejects.toThrow('is not in the cache')
  })

  test('goes on where a connection was cut, and gets the same bytes', async () => {
    let cut = 0
    misbehave = (request, response, body) => {
      if (!request.url!.endsWith('.safetensors') || cut === 3) return false
      cut++
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
      const head = { 'content-length': body.length - from }
      response.writeHead(from > 0 ? 206 : 200, {
        ...head,
        'content-range': `bytes ${from}-${body.length - 1}/${body.length}`,
      })
      response.write(body.subarray(from, from + 50_000))
      cutOnceKept(response, from)
      return true
    }
    const { directory } = await pull(options())
    expect(readFileSync(join(directory, 'model.safetensors')).equals(large)).toBe(true)
    expect(resolved('model.safetensors').map(({ range }) => range ?? 'all')[0]).toBe('all')
    expect(resolved('model.safetensors').length).toBe(4)
    expect(resolved('model.safetensors')[3]!.range).toMatch(/^bytes=[1-9]/)
  })

  test('goes on in a later process, and starts anew where the hub does not go on', async () => {
    misbehave = (request, response, body) => {
      if (!request.url!.endsWith('.safetensors')) return false
      response.writeHead(200, { 'content-length': body.length })
      response.write(body.subarray(0, 60_000))
      cutOnceKept(response, 0)
      return true
    }
    await expect(pull(options({ tries: 0 }))).rejects.toThrow(FaultError)
    const incomplete = join(blobs(), `${sha256(large)}.incomplete`)
    expect(statSync(incomplete).size).toBeGreaterThan(0)
    misbehave = (request, response, body) => {
      if (!request.url!.endsWith('.safetensors')) return false
      response.end(body)
      return true
    }
    const { directory } = await pull(options())
    expect(readFileSync(join(directory, 'model.safetensors')).equals(large)).toBe(true)
    expect(existsSync(incomplete)).toBe(false)
  })

  test.each<[string, (body: Buffer) => Buffer]>([
    ['other bytes of the same length', body => Buffer.alloc(body.length, 8)],
    ['more bytes', body => Buffer.concat([body, Buffer.from('x')])],
  ])('keeps nothing of a file with %s', async (_, spoil) => {
    misbehave = (request, response, body) => {
      if (!request.url!.endsWith('.safetensors')) return false
      response.end(spoil(body))
      return true
    }
    await expect(pull(options())).rejects.toThrow('is not what its sha256 hash')
    expect(existsSync(join(blobs(), sha256(large)))).toBe(false)
    expect(existsSync(join(blobs(), `${sha256(large)}.incomplete`))).toBe(false)
    expect(existsSync(join(cache, 'models--us--ours', 'refs', 'main'))).toBe(false)
  })

  test('checks small files by git’s hash', async () => {
    misbehave = (request, response, body) => {
      if (!request.url!.endsWith('config.json')) return false
      response.end(Buffer.alloc(body.length, 32))
      return true
    }
    await expect(pull(options())).rejects.toThrow('is not what its git hash')
  })

  test('mends a part that an earlier try left spoilt', async () => {
    await pull(options())
    rmSync(join(blobs(), sha256(large)))
    writeFileSync(join(blobs(), `${sha256(large)}.incomplete`), Buffer.alloc(1000, 9))
    const { directory } = await pull(options())
    expect(readFileSync(join(directory, 'model.safetensors')).equals(large)).toBe(true)
  })

  test('tries again where a fault may pass, and says it where it does not', async () => {
    let faults = 2
    misbehave = (_, response) => {
      if (faults-- <= 0) return false
      response.writeHead(503).end()
      return true
    }
    expect((await pull(options())).files).toBe(2)
    rmSync(join(cache, 'models--us--ours'), { recursive: true })
    faults = 1000
    await expect(pull(options())).rejects.toThrow('answers 503')
  })

  test('waits as long as the hub asks, and says it where that is too long', async () => {
    let asks = '60'
    misbehave = (_, response) => {
      response.writeHead(429, { 'retry-after': asks }).end()
      return true
    }
    const stop = new AbortController()
    const waiting = pull(options({ wants: path => path === 'config.json', signal: stop.signal }))
    while (resolved('config.json').length === 0) await new Promise(resolve => setTimeout(resolve, 5))
    // Three tries a millisecond apart would be over.
    setTimeout(() => stop.abort(), 200)
    await expect(waiting).rejects.toThrow(InterruptedError)
    expect(resolved('config.json')).toHaveLength(1)
    asks = '3600'
    await expect(pull(options())).rejects.toThrow('answers 429, and asks to wait 3600 seconds')
  })

  test('does not wait for the end of a file that has more than it should', async () => {
    misbehave = (request, response) => {
      if (!request.url!.endsWith('.safetensors')) return false
      const more = () => {
        while (!response.destroyed && response.write(large));
      }
      response.on('drain', more)
      more()
      return true
    }
    await expect(pull(options())).rejects.toThrow('is not what its sha256 hash')
    expect(existsSync(join(blobs(), `${sha256(large)}.incomplete`))).toBe(false)
  })

  test('fetches again what lost bytes in the cache', async () => {
    await pull(options())
    writeFileSync(join(blobs(), sha256(large)), large.subarray(0, 5))
    const { directory, fetched } = await pull(options())
    expect([readFileSync(join(directory, 'model.safetensors')).equals(large), fetched]).toEqual([true, large.length])
  })

  test('goes on however often it is cut, as long as something comes', async () => {
    misbehave = (request, response, body) => {
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
      if (from > 0) response.writeHead(206, { 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` })
      else response.writeHead(200, { 'content-length': body.length })
      response.write(body.subarray(from, from + 10), () => setTimeout(() => response.destroy(), 20))
      return true
    }
    listing = listing.filter(file => (file as { path: string }).path === 'config.json')
    const { directory } = await pull(options())
    expect(readFileSync(join(directory, 'config.json'))).toEqual(contents['config.json'])
    expect(resolved('config.json').length).toBeGreaterThan(2)
  })

  test('gives up a connection that falls silent, and ends at once when it is stopped', async () => {
    misbehave = (request, response, body) => {
      if (!request.url!.endsWith('.safetensors')) return false
      response.writeHead(200, { 'content-length': body.length })
      response.write(body.subarray(0, 100))
      return true
    }
    await expect(pull(options({ patience: 100, tries: 0 }))).rejects.toThrow('nothing came for 0.1 seconds')
    const stop = new AbortController()
    setTimeout(() => stop.abort(), 50)
    await expect(pull(options({ signal: stop.signal }))).rejects.toThrow(InterruptedError)
  })
})

describe('the token', () => {
  test('goes to the hub and stands in no message', async () => {
    await pull(options({ token }))
    expect(new Set(asked.map(({ authorization }) => authorization))).toEqual(new Set([`Bearer ${token}`]))
    const refused = await pull(options({ token, repository: repositoryOf('model', 'us/private') })).catch(
      error => error,
    )
    expect(refused).toBeInstanceOf(UserError)
    expect(`${refused.message} ${refused.fix} ${refused.stack} ${JSON.stringify(refused)}`).not.toContain('secret')
    await expect(pull(options({ repository: repositoryOf('model', 'us/private') }))).rejects.toThrow(
      'without a token (401)',
    )
  })

  test('that no header may hold is refused without being said, and so is a password in the address', async () => {
    for (const wrong of [`${token}\n${token}`, `${token} x`, `${token}é`]) {
      const error = await pull(options({ token: wrong })).catch(error => error)
      expect(error).toBeInstanceOf(UserError)
      expect(`${error.message} ${error.fix} ${error.stack}`).not.toContain('secret')
    }
    const address = hub.replace('://', '://me:secret@')
    const error = await pull(options({ hub: address })).catch(error => error)
    expect(error.message).toBe('hub holds a user name, a password, a query or a mark, but it must be a plain address.')
    await expect(pull(options({ hub: 'hub.example' }))).rejects.toThrow(
      'hub is "hub.example", but it must be an address',
    )
    expect(asked).toEqual([])
  })

  test('is not sent to where a list of files leads', async () => {
    listing = [{ type: 'file', path: 'a', size: 1, oid: git(Buffer.from('a')) }]
    const original = server.listeners('request')[0] as (...of: unknown[]) => void
    const led = (request: IncomingMessage, response: ServerResponse) => {
      if (request.url!.includes('/tree/')) response.setHeader('link', '<http://evil.example/next>; rel="next"')
      original(request, response)
    }
    server.removeAllListeners('request').on('request', led)
    await expect(pull(options({ token }))).rejects.toThrow('another address')
    server.removeAllListeners('request').on('request', original)
  })
})

describe('what a hub should not say', () => {
  test.each(['../outside', '/etc/passwd', 'a/../../b', 'C:\\x', 'a\\..\\b', 'a//b', '', 'a/./b', 'a\0b'])(
    'a file %j',
    path => {
      expect(() => mustBeInside(path)).toThrow('no path of a repository')
    },
  )
  test.each<[string, unknown]>([
    ['no hash', { type: 'file', path: 'a.json', size: 1 }],
    ['no size', { type: 'file', path: 'a.json', oid: git(large) }],
    ['a hash that is none', { type: 'file', path: 'a.json', size: 1, oid: '../../x' }],
    ['a path outside', { type: 'file', path: '../a.json', size: 1, oid: git(large) }],
  ])('%s', async (_, entry) => {
    listing = [entry]
    await expect(pull(options())).rejects.toThrow(UserError)
  })
  test('nothing at that name', async () => {
    await expect(pull(options({ repository: repositoryOf('model', 'us/gone') }))).rejects.toThrow('There is nothing at')
  })
})

test.each(['', 'a/b/c', '../x', 'a/..', 'a b', '/a', 'a/', '-a', `${'a'.repeat(97)}`])(
  '%j is no name of a model',
  id => {
    expect(() => repositoryOf('model', id)).toThrow('is not the name of a model')
  },
)
test('the cache is where Hugging Face’s own programs have it', () => {
  expect(cacheFolder({ HF_HUB_CACHE: '/a' })).toBe('/a')
  expect(cacheFolder({ HF_HOME: '/b' })).toBe('/b/hub')
  expect(cacheFolder({ XDG_CACHE_HOME: '/c' })).toBe('/c/huggingface/hub')
})
