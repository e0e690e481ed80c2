import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as arrow from 'apache-arrow'
import type { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { evidenceOf } from '../../labels/evidence.fixture.ts'
import { driftFile } from '../../runs/drift.ts'
import { RunStore } from '../../runs/store.ts'
import { contracts } from '../api/contracts/index.ts'
import { keptDrift } from '../read/drift.ts'
import { Runs } from '../read/runs.ts'
import { createApp } from './app.ts'
import { hostsOf } from './guard.ts'
import { madeUpDrift, madeUpStore, makeRun } from './store.fixture.ts'

const folder = mkdtempSync(join(tmpdir(), 'serve-'))
const token = 'a token of the tests'
const bugs: unknown[] = []
let app: Hono

beforeAll(async () => {
  await madeUpStore(folder)
  mkdirSync(join(folder, 'broken'))
  writeFileSync(join(folder, 'broken', 'run.json'), '{"schema":2')
  mkdirSync(join(folder, 'renamed'))
  copyFileSync(join(folder, 'labelled', 'run.json'), join(folder, 'renamed', 'run.json'))
  const guard = { hosts: hostsOf('127.0.0.1', 4040), token, cookie: 'pipeline-4040' }
  app = createApp({ directory: folder, version: '1', guard, onBug: error => bugs.push(error) })
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
  expect(bugs).toEqual([])
})

const ask = (path: string, headers: Record<string, string> = {}, init: RequestInit = {}) =>
  app.request(`http://127.0.0.1:4040${path}`, {
    ...init,
    headers: { host: '127.0.0.1:4040', authorization: `Bearer ${token}`, ...headers },
  })
const json = async (path: string) => (await ask(path)).json() as Promise<Record<string, never>>

describe('who may ask', () => {
  test.each<[string, Record<string, string>, number]>([
    ['the token', {}, 200],
    ['no token', { authorization: '' }, 401],
    ['another token', { authorization: `Bearer ${token}x` }, 401],
    ['the cookie', { authorization: '', cookie: `pipeline-4040=${encodeURIComponent(token)}` }, 200],
    ['the cookie of another port', { authorization: '', cookie: `pipeline-4041=${encodeURIComponent(token)}` }, 401],
    ['localhost', { host: 'localhost:4040' }, 200],
    ['another port', { host: '127.0.0.1:80' }, 403],
    ['no port', { host: '127.0.0.1' }, 403],
    ['a name that points here', { host: 'evil.example:4040' }, 403],
    ['a page of another site', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' }, 403],
    ['an origin of another site', { origin: 'http://evil.example' }, 403],
    ['an origin of another port', { origin: 'http://127.0.0.1:8080' }, 403],
    ['its own origin', { origin: 'http://127.0.0.1:4040', 'sec-fetch-site': 'same-origin' }, 200],
  ])('%s', async (_, headers, status) => {
    const answer = await ask('/api/runs', headers)
    expect(answer.status).toBe(status)
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
  })

  test('a token in the address becomes a cookie that scripts and other sites do not get', async () => {
    const answer = await ask(`/?stage=train&token=${encodeURIComponent(token)}`, { authorization: '' })
    expect(answer.status).toBe(303)
    expect(answer.headers.get('location')).toBe('/?stage=train')
    expect(answer.headers.get('set-cookie')).toMatch(/^pipeline-4040=.*; Path=\/; HttpOnly; SameSite=Strict$/)
    expect((await ask('/?token=wrong')).status).toBe(401)
  })

  test.each(['PUT', 'DELETE', 'PATCH'])('%s is not answered', async method => {
    expect((await ask('/api/runs', {}, { method })).status).toBe(405)
  })

  test.each([
    '/api/runs/..%2F..%2Fetc%2Fpasswd',
    '/api/runs/%2Fetc%2Fpasswd',
    '/api/runs/..',
    '/api/runs/.%00',
    `/api/runs/${'a'.repeat(500)}`,
    '/runs/..%5C..%5Cwindows',
    '/api/runs/tested%2F..%2Flabelled',
    '/assets/..%2F..%2Fpackage.json',
    '/assets/main.ts',
  ])('%s is not there', async path => {
    const answer = await ask(path)
    expect([400, 404]).toContain(answer.status)
    expect(await answer.text()).not.toMatch(/root:|"dependencies"/)
  })
})

describe('the API', () => {
  test('lists runs newest first, a page at a time, and what cannot be read', async () => {
    const all = await json('/api/runs')
    expect((all.runs as { id: string }[]).map(({ id }) => id)).toEqual(['labelled', 'tested', 'curves', 'moved'])
    expect(all.total).toBe(4)
    expect((all.unreadable as { reason: string }[]).map(({ reason }) => reason).join()).toMatch(
      /not JSON.*,Its run\.json is that of the run labelled/,
    )
    const page = await json('/api/runs?limit=1&offset=1')
    expect((page.runs as { id: string }[]).map(({ id }) => id)).toEqual(['tested'])
    expect((await json('/api/runs?stage=train')).total).toBe(1)
  })

  test('gives a run, its lineage and its metrics from a byte on', async () => {
    expect((await json('/api/runs/curves')).summary).toEqual({ latents: 3, fvu: 0.25 })
    const { edges } = await json('/api/runs/labelled/lineage')
    expect(edges).toEqual([
      { from: 'curves', to: 'tested', role: 'sae', state: 'same' },
      { from: 'curves', to: 'labelled', role: 'sae', state: 'same' },
      { from: 'tested', to: 'labelled', role: 'evidence', state: 'same' },
    ])
    const first = await json('/api/runs/curves/metrics')
    expect(first.records).toEqual([
      { kind: 'step', step: 0, loss: 3 },
      { kind: 'step', step: 1, loss: 2 },
    ])
    expect([first.cursor, first.more]).toEqual([68, false])
    expect((await json('/api/runs/curves/metrics?cursor=34')).records).toEqual([{ kind: 'step', step: 1, loss: 2 }])
    expect((await json('/api/runs/curves/metrics?cursor=68')).records).toEqual([])
    expect((await ask('/api/runs/curves/metrics?cursor=7')).status).toBe(400)
    expect((await ask('/api/runs/curves/metrics?cursor=69')).status).toBe(400)
  })

  test('filters and sorts features; what is missing comes last', async () => {
    const latents = async (query: string) => {
      const { features } = await json(`/api/runs/labelled/features?${query}`)
      return (features as { latent: number }[]).map(({ latent }) => latent)
    }
    expect(await latents('sort=-density')).toEqual([0, 2, 1])
    expect(await latents('sort=label')).toEqual([2, 0, 1])
    expect(await latents('sort=-label')).toEqual([0, 2, 1])
    expect(await latents('where=density%3E%3D0.25')).toEqual([0, 2])
    expect(await latents('where=density%3E%3D0.25&where=label~APPLE')).toEqual([0])
    expect(await latents('where=label%3Dnull')).toEqual([1])
    expect(await latents('limit=1&offset=2')).toEqual([2])
    const wrong = await ask('/api/runs/labelled/features?where=densty%3E1')
    expect(wrong.status).toBe(400)
    expect(await wrong.json()).toEqual({
      error: 'There is no column "densty".',
      fix: expect.stringContaining('density'),
    })
    expect((await ask('/api/runs/labelled/features?limit=0')).status).toBe(400)
    expect((await ask('/api/runs/labelled/features?unknown=1')).status).toBe(400)
    expect((await ask('/api/runs/tested/features')).status).toBe(400)
  })

  test('gives one feature with its examples and evidence', async () => {
    const { feature, examples, evidence } = await json('/api/runs/labelled/features/2')
    expect((feature as { density: number }).density).toBe(0.25)
    expect((examples as { tokens: string[] }[])[0]!.tokens).toEqual(['a', '</mark><script>'])
    expect(evidence).toBeNull()
    expect((await ask('/api/runs/labelled/features/9')).status).toBe(404)
    expect((await ask('/api/runs/labelled/features/2e0')).status).toBe(404)
    expect((await json('/api/runs/tested/evidence')).schema).toBe(evidenceOf([{ feature: 1 }]).schema)
  })

  test('gives raw effects as JSON and as an Arrow stream', async () => {
    const { effects, total } = await json('/api/runs/tested/effects?feature=1')
    expect(total).toBe(2)
    expect(effects).toEqual([
      { feature: 1, intervention: 'ablate', control: 'feature', target: -0.5 },
      { feature: 1, intervention: 'ablate', control: 'random', target: 0.125 },
    ])
    const answer = await ask('/api/runs/tested/effects?feature=1', { accept: 'application/vnd.apache.arrow.stream' })
    const table = arrow.tableFromIPC(new Uint8Array(await answer.arrayBuffer()))
    expect([...table.getChild('target')!]).toEqual([-0.5, 0.125])
  })

  test.each([
    ['csv', 'text/csv'],
    ['jsonl', 'application/jsonl'],
    ['arrow', 'application/vnd.apache.arrow.stream'],
  ])(
    'gives all features that conditions mean as a file of %s, of which the asker may have the last',
    async (format, type) => {
      const path = `/api/runs/labelled/export?format=${format}&where=density>0.2&sort=-density&column=latent&column=label`
      const answer = await ask(path)
      expect(answer.headers.get('content-type')).toMatch(type)
      expect(answer.headers.get('content-disposition')).toBe(`attachment; filename="labelled-features.${format}"`)
      const bytes = new Uint8Array(await answer.arrayBuffer())
      const text = Buffer.from(bytes).toString()
      const latents = {
        csv: () =>
          text
            .trimEnd()
            .split('\r\n')
            .slice(1)
            .map(line => Number(line.split(',')[0])),
        jsonl: () =>
          text
            .trimEnd()
            .split('\n')
            .map(line => JSON.parse(line).latent),
        arrow: () => [...arrow.tableFromIPC(bytes).getChild('latent')!],
      }
      expect(latents[format as keyof typeof latents]()).toEqual([0, 2])
      // A label is never alone, here as in the list.
      expect(text).toContain('label_score')
      expect((await ask(path, { 'if-none-match': answer.headers.get('etag')! })).status).toBe(304)
      expect((await ask(path.replace(format, 'xlsx'))).status).toBe(400)
      expect((await ask(path.replace('density', 'densty'))).status).toBe(400)
    },
  )

  test('gives a kept comparison, the least likely cell first, and the command where there is none', async () => {
    const found = await json('/api/drift?base=tested&now=tested')
    expect(found).toMatchObject({ run: 'moved', runs: ['moved'], drifted: 1, tested: 2, composition: 0.25, total: 3 })
    expect((found.cells as { site: string; drifted: boolean }[]).map(({ site, drifted }) => [site, drifted])).toEqual([
      ['hook_embed', true],
      ['hook_embed', false],
      ['last', false],
    ])
    expect((await json('/api/drift?base=tested&now=tested&limit=1')).cells).toHaveLength(1)
    const none = await ask('/api/drift?base=curves&now=curves')
    expect([none.status, await none.json()]).toEqual([
      404,
      { error: 'Nobody has compared curves and curves.', fix: 'pipeline runs drift curves curves' },
    ])
    expect((await ask('/api/drift?base=tested&now=tested&run=other')).status).toBe(404)
    expect((await ask('/api/drift?base=labelled&now=labelled')).status).toBe(400)
    const page = await (await ask('/drift?base=tested&now=tested')).text()
    expect(page).toContain('Drift in 1 of 2 cells.')
    expect(page).toContain('language &#60;b&#62;en')
    expect(await (await ask('/drift?base=curves&now=curves')).text()).toContain('>pipeline runs drift curves curves<')
  })

  test('says that an answer is what the asker has, and another where it is not', async () => {
    const first = await ask('/api/runs/labelled/features?sort=density')
    const etag = first.headers.get('etag')!
    expect((await ask('/api/runs/labelled/features?sort=density', { 'if-none-match': etag })).status).toBe(304)
    expect((await ask('/api/runs/labelled/features?sort=-density', { 'if-none-match': etag })).status).toBe(200)
    for (const [known, status] of [
      [`"other", W/${etag}`, 304],
      ['*', 304],
      ['"other"', 200],
      [etag.slice(1, -1), 200],
    ] as const)
      expect((await ask('/api/runs/labelled/features?sort=density', { 'if-none-match': known })).status).toBe(status)
  })

  test('describes itself, and answers as it says', async () => {
    const { paths } = await json('/api/openapi.json')
    expect(Object.keys(paths as object).sort()).toEqual([...new Set(contracts.map(({ path }) => path))].sort())
    const { routes } = await import('./routes/index.ts')
    const answered = [...routes.map(({ contract }) => contract.name), 'live']
    expect(answered.sort()).toEqual(contracts.map(({ name }) => name).sort())
    const place: Record<string, string> = { evidence: 'tested', tests: 'tested', effects: 'tested' }
    for (const { contract } of routes) {
      if (contract.method === 'POST' || contract.file || ['compare', 'neighbours'].includes(contract.name)) continue
      const run = /features|columns|histogram/.test(contract.path) ? 'labelled' : (place[contract.name] ?? 'curves')
      const query = { diff: 'with=tested', histogram: 'column=density', drift: 'base=tested&now=tested' }
      const path = contract.path.replace('{run}', run).replace('{latent}', '1')
      contract.answer.parse(await json(`${path}?${query[contract.name as keyof typeof query] ?? ''}`))
    }
  })
})

describe('pages', () => {
  test.each([
    '/',
    '/runs/tested',
    '/runs/curves',
    '/runs/moved',
    '/drift',
    '/runs/labelled',
    '/runs/labelled/features',
    '/runs/labelled/features/2',
  ])('%s is whole, and hostile text in it is text', async path => {
    const answer = await ask(path)
    expect(answer.status).toBe(200)
    const html = await answer.text()
    expect(html).toContain('</html>')
    const own = /<script type="module" src="\/assets\/\w+\.js"><\/script>|<script type="application\/json" id="first">/g
    expect(html.replaceAll(own, '')).not.toMatch(/<script|onerror=|style=/)
  })
  test('of a run that did not finish say so first, and what finishes it', async () => {
    const other = mkdtempSync(join(tmpdir(), 'serve-'))
    try {
      const guard = { hosts: hostsOf('127.0.0.1', 4040), token, cookie: 'pipeline-4040' }
      const own = createApp({ directory: other, version: '1', guard, onBug: error => bugs.push(error) })
      const page = async (path: string) =>
        (
          await own.request(`http://127.0.0.1:4040${path}`, {
            headers: { host: '127.0.0.1:4040', authorization: `Bearer ${token}` },
          })
        ).text()
      expect(await page('/')).toContain('There are no runs in this folder yet.')
      expect(await page('/?stage=train')).toContain('No run is like that.')
      await makeRun(other, 'train', 'killed', { finished: false }, () => {})
      const html = await page('/runs/killed')
      expect(html).toMatch(/<p class="warning" role="status">.*running.*the same command finishes it/)
      expect(html).not.toContain('/play?sae=killed')
      expect(await (await ask('/runs/curves')).text()).toContain('/play?sae=curves')
    } finally {
      rmSync(other, { recursive: true, force: true })
    }
  })
  test('of what is not there say so', async () => {
    const answer = await ask('/runs/gone')
    expect(answer.status).toBe(404)
    expect(await answer.text()).toContain('There is no run gone')
  })
  test('of features bring the first rows that their script would ask for, whatever stands in them', async () => {
    const data = async (query: string) => {
      const html = await (await ask(`/runs/labelled/features${query}`)).text()
      const text = /<script type="application\/json" id="first">(.*?)<\/script>/s.exec(html)?.[1]
      return text && JSON.parse(text)
    }
    const { search, total, features } = await data('?where=density%3E0.2&sort=-density')
    expect([search, total]).toEqual(['where=density%3E0.2&sort=-density', 2])
    const asked = await json(`/api/runs/labelled/features?${search}`)
    for (const [i, row] of (asked.features as Record<string, unknown>[]).entries())
      expect(row).toMatchObject(features[i])
    expect(features[1].label).toBe('<script>alert(1)</script>')
    expect(await data('?label=red')).toBeUndefined()
  })

  test('of features keep conditions and order in their addresses', async () => {
    const html = await (await ask('/runs/labelled/features?where=density%3E0.2&sort=-density')).text()
    expect(html).toContain('1 to 2 of 2 features')
    expect(html).toContain('where=density%3E0.2&#38;sort=density')
  })
})

test('a comparison of a run that was made anew since does not count, nor one of other runs than its manifest says', async () => {
  const own = mkdtempSync(join(tmpdir(), 'serve-drift-'))
  try {
    const tested = await makeRun(own, 'validate', 'tested', {}, () => {})
    const inputs = (sha256: string) => (['a', 'b'] as const).map(role => ({ role, run: 'tested', sha256 }))
    const write = (sha256: string) => (directory: string) =>
      writeFileSync(
        join(directory, driftFile),
        JSON.stringify(madeUpDrift({ id: 'tested', stage: 'validate', sha256 })),
      )
    await makeRun(own, 'drift', 'stale', { inputs: inputs('another') }, write('another'))
    const runs = new Runs(own)
    const run = await runs.find('tested')
    await expect(keptDrift(runs, run, run)).rejects.toThrow('stale compared tested and tested as they were')
    await makeRun(own, 'drift', 'wrong', { inputs: inputs(tested) }, write('another'))
    await expect(keptDrift(runs, run, run)).rejects.toThrow('is of other runs than its manifest says')
    await makeRun(own, 'drift', 'newer-one', { inputs: inputs(tested) }, write(tested))
    expect(await keptDrift(runs, run, run)).toMatchObject({ runs: ['newer-one', 'wrong'], drift: { drifted: 1 } })
  } finally {
    rmSync(own, { recursive: true, force: true })
  }
})

test('a file that is not as its manifest says is refused, and read again once it is put back', async () => {
  const run = (await new RunStore(folder).list()).runs.find(({ manifest }) => manifest.stage === 'label')!
  const path = join(run.directory, 'features.parquet')
  const whole = readFileSync(path)
  const page = `/api/runs/${run.manifest.id}/features?limit=1`
  expect((await ask(page)).status).toBe(200)
  const changed = Uint8Array.from(whole)
  changed[40]! ^= 1
  writeFileSync(path, changed)
  expect(JSON.stringify(await json(page))).toMatch(
    /features\.parquet of the run .* is not what its manifest says: changed/,
  )
  writeFileSync(path, whole)
  expect((await ask(page)).status).toBe(200)
})
