/** The server over the wire: what docs/api.md says can be typed, streams that go on, and clients that mean no good. */
import { execFile } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { appendFile, mkdir } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { z } from 'zod'
import { type ApiError, createClient } from '../api/client.ts'
import type { continued, fires, play } from '../api/contracts/play.ts'
import { type Compute, SupersededError, type Tasks } from './compute.ts'
import { listen, type ServeOptions, type Serving } from './listen.ts'
import { madeUpStore, makeRun } from './store.fixture.ts'

const token = 'a token of the tests'
const bugs: unknown[] = []
let folder: string
let server: Serving
let control = new AbortController()

const tokens = [{ id: 1, text: 'the' }]
const firing: z.input<typeof fires.answer> = {
  ...{ sae: 'curves', site: 'blocks.0.hook_resid_post', tokens, firing: 1, seconds: 0 },
  features: [
    {
      ...{ latent: 0, sum: 1, max: 1, peak: 1, positions: [1], values: [1], norm: 1 },
      ...{ density: null, maxActivation: null, label: null },
    },
  ],
}
const played: z.input<typeof play.answer> = {
  frozen: null,
  ...{ sae: 'curves', site: 'blocks.0.hook_resid_post', tokens, position: 0, edits: [], rows: [], seconds: 0 },
  ...{ base: { next: [], metric: null }, metric: null },
}
const went: z.input<typeof continued.answer> = { sae: 'curves', tokens, continuations: [], seconds: 0 }
const matched: Tasks['compare']['given'] = {
  ...{ latents: [3, 3], notices: [], mcc: 0.5, mccBound: 0.5, exact: true, shared: 1 / 3, null: [0], p: 0.05 },
  ...{ match: [1, -1, 0], cosine: [0.9, 0, 0.6], nearest: { latent: [0, 0, 2], cosine: [0.9, 0.8, 0.1] } },
}
const asked: unknown[] = []
/** What becomes of tasks without an end. */
const endless: Promise<unknown>[] = []
/** Answers as the engine would, without one. */
const compute: Compute = {
  async do(task, question, signal) {
    asked.push({ task, question })
    const { text } = question as { text?: string }
    if (text === 'endless') {
      const isOver = new Promise<never>((_, fail) => signal.addEventListener('abort', () => fail(new Error('over'))))
      endless.push(isOver.catch(() => 'told'))
      return isOver
    }
    if (text === 'older') throw new SupersededError('A newer one is answered.')
    const given = {
      fires: firing,
      play: played,
      continued: went,
      compare: matched,
      neighbours: [{ latent: 1, cosine: 0.5 }],
    }
    return given[task] as never
  },
  close: async () => {},
}

const start = (port: number, signal: AbortSignal, limits: Pick<ServeOptions, 'quiet' | 'longestAnswer'> = {}) =>
  listen({
    ...{ directory: folder, version: '1', host: '127.0.0.1', port, exactly: port !== 0, token, compute, signal },
    patience: 1000,
    ...limits,
    onBug: error => bugs.push(error),
  })

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wire-'))
  await madeUpStore(folder)
  await makeRun(folder, 'train', 'growing', { finished: false }, (_, metrics) => metrics.append({ step: 0 }))
  server = await start(0, control.signal)
})
afterAll(async () => {
  control.abort()
  await server.closed
  rmSync(folder, { recursive: true, force: true })
  expect(bugs).toEqual([])
})

const address = () => `http://127.0.0.1:${server.port}`
const bearer = { authorization: `Bearer ${token}` }
const post = (path: string, body: string, headers: Record<string, string> = {}) =>
  fetch(address() + path, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } })

describe('docs/api.md', () => {
  const page = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8')
  const [head, ...blocks] = [...page.matchAll(/^```\n(.*?)^```/gms)].map(match => match[1]!)
  const lines = blocks.flatMap(block => block.trim().split('\n'))
  const shell = head!.match(/^(ask|tell)\(.*$/gm)!.join('\n')

  test('has a line for every route', async () => {
    const { contracts } = await import('../api/contracts/index.ts')
    const isTyped = (path: string) => {
      const fixed = path.replace('{run}', '[^/ ]+').replace('{latent}', '[^/ ]+')
      return lines.some(line => new RegExp(`${fixed}(["'? ]|$)`).test(line))
    }
    expect(contracts.map(({ path }) => path).filter(path => !isTyped(path))).toEqual([])
  })

  test.skipIf(!existsSync('/usr/bin/curl'))(
    'every line of it is answered',
    async () => {
      const script = lines.map(line => `echo "LINE $?"; ${line}\necho "END $?"`).join('\n')
      const names = `TOKEN='${token}' SERVER=${address()} SAE=curves LABELS=labelled VALIDATE=tested BEFORE=tested LATENT=1`
      const output = await new Promise<string>(done =>
        execFile('bash', ['-c', `${names}\n${shell}\n${script}`], { cwd: folder }, (_, stdout) => done(stdout)),
      )
      const results = [...output.matchAll(/LINE \d+\n(.*?)END (\d+)\n/gs)].map(([, text, code]) => ({ text, code }))
      expect(results.length).toBe(lines.length)
      results.forEach(({ text, code }, i) => {
        expect([lines[i], code]).toEqual([lines[i], '0'])
        if (/api\/live/.test(lines[i]!)) expect(text).toContain('event: metrics')
        else if (!/ -o /.test(lines[i]!)) expect(JSON.parse(text!)).toBeTypeOf('object')
      })
    },
    30_000,
  )

  test('the client asks with types, and a refusal is an error with its repair', async () => {
    const ask = createClient({ address: address(), token })
    const { features, total } = await ask('features', { parts: { run: 'labelled' }, query: { where: 'density>0.2' } })
    expect([features.length, total]).toEqual([2, 2])
    const wrong = await ask('run', { parts: { run: 'labeled' } }).catch((error: ApiError) => error)
    expect(wrong).toMatchObject({ status: 404, fix: expect.stringContaining('labelled') })
    await ask('play', { body: { sae: 'curves', text: 'the' } })
    expect(asked.at(-1)).toMatchObject({
      task: 'play',
      question: { random: 1, foreign: 1, seed: 0, known: { run: 'labelled', density: [0.5, 0.125, 0.25] } },
    })
  })
})

describe('what computes', () => {
  test.each<[string, string, string, Record<string, string>, number]>([
    ['JSON with the token', 'play/features', '{"sae":"curves","text":"the"}', bearer, 200],
    ['no token', 'play/features', '{"sae":"curves","text":"the"}', {}, 401],
    ['a form', 'play/features', 'sae=curves', { ...bearer, 'content-type': 'text/plain' }, 415],
    ['a body that is no JSON', 'play/features', '{', bearer, 400],
    ['an unknown key', 'play/features', '{"sae":"curves","text":"the","shell":"rm"}', bearer, 400],
    ['a run that is a path', 'play/features', '{"sae":"../../etc","text":"the"}', bearer, 404],
    [
      'too many edits',
      'play/edit',
      JSON.stringify({ sae: 'curves', text: 'a', edits: Array(65).fill({ latent: 1, kind: 'ablate' }) }),
      bearer,
      400,
    ],
    ['a body of 65 kB', 'play/features', JSON.stringify({ sae: 'curves', text: 'a'.repeat(65 * 1024) }), bearer, 413],
    [
      'a text of 9,000 characters',
      'play/features',
      JSON.stringify({ sae: 'curves', text: 'a'.repeat(9000) }),
      bearer,
      400,
    ],
    ['a question that waited', 'play/features', '{"sae":"curves","text":"older"}', bearer, 409],
    ['a route that reads', 'runs', '{}', bearer, 404],
    [
      'another origin',
      'play/features',
      '{"sae":"curves","text":"the"}',
      { ...bearer, origin: 'http://evil.example' },
      403,
    ],
  ])('%s', async (_, path, body, headers, status) => {
    const answer = await post(`/api/${path}`, body, headers)
    expect(answer.status).toBe(status)
    if (status !== 200) expect(await answer.json()).toMatchObject({ error: expect.any(String) })
  })

  test('an answer that does not come is given up, and what it waits for is told', async () => {
    const control = new AbortController()
    const impatient = await start(0, control.signal, { longestAnswer: 2000 })
    const answer = await fetch(`http://127.0.0.1:${impatient.port}/api/play/features`, {
      ...{ method: 'POST', headers: { ...bearer, 'content-type': 'application/json' } },
      body: '{"sae":"curves","text":"endless"}',
    })
    expect([answer.status, await answer.json()]).toEqual([
      503,
      { error: expect.stringMatching(/more than 2 seconds/), fix: expect.any(String) },
    ])
    expect(await endless.at(-1)).toBe('told')
    control.abort()
    await impatient.closed
  })

  test('a cookie alone is not enough for it: a page sends what only it can read', async () => {
    const cookie = { cookie: `pipeline-${server.port}=${encodeURIComponent(token)}` }
    const body = '{"sae":"curves","text":"the"}'
    expect((await post('/api/play/features', body, cookie)).status).toBe(403)
    const { session } = (await (await fetch(`${address()}/api/session`, { headers: cookie })).json()) as {
      session: string
    }
    expect(session).not.toContain(token)
    expect((await post('/api/play/features', body, { ...cookie, 'x-pipeline-session': session })).status).toBe(200)
    expect((await post('/api/play/features', body, { ...cookie, 'x-pipeline-session': `${session}x` })).status).toBe(
      403,
    )
  })
})

describe('a stream', () => {
  /** Reads events until `enough`, and gives them with the id of the last. */
  async function events(
    path: string,
    enough: (text: string) => boolean,
    last?: string,
  ): Promise<{ text: string; id: string }> {
    const ends = new AbortController()
    const headers = { ...bearer, ...(last !== undefined && { 'last-event-id': last }) }
    const response = await fetch(address() + path, { headers, signal: ends.signal })
    const decoder = new TextDecoder()
    let text = ''
    for await (const chunk of response.body!) {
      text += decoder.decode(chunk, { stream: true })
      if (enough(text)) break
    }
    ends.abort()
    return { text, id: [...text.matchAll(/^id: (.*)$/gm)].at(-1)![1]! }
  }
  const steps = (text: string) => [...text.matchAll(/"step":(\d+)/g)].map(([, step]) => Number(step))
  const metrics = () => join(folder, 'growing', 'metrics.jsonl')

  test('goes on without a gap or a repetition where the server is another one meanwhile', async () => {
    const path = '/api/live?run=growing'
    const first = await events(path, text => steps(text).includes(0) && text.includes('event: runs'))
    await appendFile(metrics(), '{"step":1}\n{"step":2}\n{"ste')
    const second = await events(path, text => steps(text).includes(2), first.id)
    const { port } = server
    control.abort()
    await server.closed
    await appendFile(metrics(), 'p":3}\n')
    control = new AbortController()
    server = await start(port, control.signal)
    const third = await events(path, text => steps(text).includes(3), second.id)
    expect([first, second, third].map(({ text }) => steps(text))).toEqual([[0], [1, 2], [3]])
  })

  test('says so where a run went back to a checkpoint, and begins its curve anew', async () => {
    const { id } = await events('/api/live?run=growing', text => steps(text).includes(3))
    writeFileSync(metrics(), '{"step":0}\n')
    const { text } = await events(
      '/api/live?run=growing',
      text => text.includes('event: reset') && steps(text).length > 0,
      id,
    )
    expect(text.indexOf('event: reset')).toBeLessThan(text.indexOf('event: metrics'))
    expect(steps(text)).toEqual([0])
  })

  test('tells of runs that come, and of manifests that are half-written or of another version', async () => {
    const waiting = events('/api/live', text => text.includes('"id":"late"'))
    await makeRun(folder, 'train', 'late', { finished: false }, () => {})
    expect((await waiting).text).toContain('"status":"running"')
    await mkdir(join(folder, 'half'))
    writeFileSync(join(folder, 'half', 'run.json'), '{"schema":2,"id"')
    await mkdir(join(folder, 'foreign'))
    writeFileSync(join(folder, 'foreign', 'run.json'), '{"schema":99}')
    const { unreadable } = (await (await fetch(`${address()}/api/runs`, { headers: bearer })).json()) as {
      unreadable: { directory: string; reason: string }[]
    }
    expect(unreadable.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/schema 99/),
      expect.stringMatching(/JSON/),
    ])
    expect((await fetch(`${address()}/api/runs/half`, { headers: bearer })).status).toBe(400)
  })

  test.each(['run=growing&cursor=../x:1', `${'run=growing&'.repeat(33)}x=1`])('?%s is refused', async query => {
    expect((await fetch(`${address()}/api/live?${query}`, { headers: bearer })).status).toBe(400)
  })
})

describe('clients that mean no good', () => {
  /** Bytes as they are, and what comes back until the server hangs up. */
  const raw = (bytes: string) =>
    new Promise<string>((done, fail) => {
      const socket = connect(server.port, '127.0.0.1', () => socket.write(bytes))
      let text = ''
      socket.on('data', chunk => {
        text += chunk
      })
      socket.on('close', () => done(text))
      socket.on('error', fail)
    })
  const head = (path: string, host = `127.0.0.1:${server.port}`) =>
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`

  test.each<[string, () => string, number]>([
    ['a path out of the root', () => head('/api/runs/../../../etc/passwd'), 404],
    ['an escaped one', () => head('/api/runs/%2e%2e%2f%2e%2e%2fetc%2fpasswd'), 404],
    ['a doubly escaped one', () => head('/assets/%252e%252e/package.json'), 404],
    ['a null byte', () => head('/api/runs/curves%00.json'), 404],
    ['no host', () => 'GET /api/runs HTTP/1.1\r\n\r\n', 400],
    ['a foreign host', () => head('/api/runs', 'evil.example'), 403],
    ['two hosts', () => head('/api/runs').replace('Host:', 'Host: evil.example\r\nHost:'), 403],
    ['an absolute address', () => head('http://evil.example/api/runs', 'evil.example'), 403],
    ['an address of 9,000 characters', () => head(`/api/runs?stage=${'a'.repeat(9000)}`), 414],
    ['no HTTP at all', () => 'hello\r\n\r\n', 400],
  ])('%s', async (_, bytes, status) => {
    const answer = await raw(bytes())
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status}`))
    expect(answer).not.toMatch(/root:|"dependencies"/)
  })

  test('one that reads no further is cut off', async () => {
    const control = new AbortController()
    const impatient = await start(0, control.signal, { quiet: 500 })
    const path = join(folder, 'growing', 'metrics.jsonl')
    const before = readFileSync(path)
    // More than the system's buffers take.
    writeFileSync(path, `${JSON.stringify({ step: 0, text: 'x'.repeat(990) })}\n`.repeat(20_000))
    // The server's end of the connection: who does not read does not see its own end, which is behind what the buffers still hold.
    let whenCut = new Promise<void>(() => {})
    const onSocket = (message: unknown) => {
      const { socket } = message as { socket: Socket }
      whenCut = new Promise(done => socket.on('close', () => done()))
    }
    subscribe('net.server.socket', onSocket)
    const socket = connect(impatient.port, '127.0.0.1', () =>
      socket.write(head('/api/live?run=growing', `127.0.0.1:${impatient.port}`)),
    )
    socket.on('error', () => {})
    const closed = new Promise(done => socket.on('close', done))
    let bytes = 0
    await new Promise<void>(done => socket.once('data', () => done(void socket.pause())))
    unsubscribe('net.server.socket', onSocket)
    await whenCut
    socket.on('data', chunk => {
      bytes += chunk.length
    })
    socket.resume()
    await closed
    writeFileSync(path, before)
    expect(bytes).toBeLessThan(20_000_000)
    control.abort()
    await impatient.closed
  }, 20_000)

  test('one that sends its headers byte by byte is cut off', async () => {
    const answer = await raw(`GET /api/runs HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nX-Slow: `)
    expect(answer).toMatch(/^(HTTP\/1.1 408|$)/)
  }, 10_000)

  test('a link in the store leads nowhere, and no run is one', async () => {
    symlinkSync('/etc', join(folder, 'linked'))
    symlinkSync('/etc/passwd', join(folder, 'growing', 'features.parquet'))
    for (const path of ['/api/runs/linked', '/api/runs/linked/metrics', '/api/runs/growing/features']) {
      const answer = await fetch(address() + path, { headers: bearer })
      expect([400, 404]).toContain(answer.status)
      expect(await answer.text()).not.toContain('root:')
    }
  })
})
