/**
 * The server under load, and the playground on the shapes of GPT-2 small. The store is made up: a label run of 10⁵ features, a train
 * run whose metrics grow while one looks. Requests go over the wire, from this process to that of the built command.
 */
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { quantile } from '../statistics/descriptive.ts'
import { defineBench, type Teller } from './options.ts'
import { build, startServer } from './serve-process.ts'
import { makeServeStore } from './serve-store.ts'
import { startWorker } from './workers.ts'

const config = z.strictObject({
  features: z.int().min(100).default(100_000).describe('Features of the label run'),
  seconds: z.int().min(1).default(60).describe('Seconds for which requests are sent'),
  rate: z.int().min(1).default(200).describe('Requests a second'),
  playground: z.boolean().default(true).describe('Whether edits on GPT-2 small’s shapes (random weights) are timed'),
})

const median = (values: readonly number[]) => quantile(values, 0.5)

export default defineBench({
  about:
    'Times `pipeline serve` of the package, which it builds first: its first answer, pages of 100,000 features sorted and filtered, requests at a steady rate with its memory, how far a live curve is behind the file, and edits of the playground on the shapes of GPT-2 small.',
  examples: ['npm run bench -- serve --seconds 60'],
  config,
  engine: 'tensorflow',
  async run({ features, seconds, rate, playground }, tell) {
    const folder = await mkdtemp(join(tmpdir(), 'bench-serve-'))
    try {
      await makeServeStore(folder, features)
      build()
      const server = await startServer(folder)
      try {
        const { address, token, firstAnswer } = server
        tell.result({ case: 'start', firstAnswerMs: firstAnswer, rssMiB: server.rss() })
        tell.line(
          `first answer, from the start of the process  ${firstAnswer.toFixed(0)} ms, ${server.rss().toFixed(0)} MiB`,
        )
        const ask = asker(address, token)
        await tables(ask, features, tell)
        await liveDelay(folder, ask, tell)
        await steady(ask, { seconds, rate, features }, server.rss, tell)
      } finally {
        server.stop()
      }
      if (playground) await edits(tell)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
})

/** Milliseconds after which a request has failed. */
const longestAnswer = 60_000

type Ask = (path: string, signal?: AbortSignal) => Promise<Response>

function asker(address: string, token: string): Ask {
  return (path, signal) =>
    fetch(address + path, { headers: { authorization: `Bearer ${token}` }, ...(signal && { signal }) })
}

async function timed(ask: Ask, path: string): Promise<number> {
  const start = performance.now()
  const response = await ask(path, AbortSignal.timeout(longestAnswer))
  const text = await response.text()
  if (!response.ok) throw new Error(`${path}: ${text}`)
  return performance.now() - start
}

const label = '/api/runs/label/features'

/** The first page, then every order and condition for the first time, and again. */
async function tables(ask: Ask, features: number, tell: Teller): Promise<void> {
  const cold = await timed(ask, `${label}?limit=100`)
  const sorts = ['density', '-density', 'max_activation', '-effect', 'label', '-q', 'verdict']
  const first = []
  const again = []
  for (const sort of sorts) first.push(await timed(ask, `${label}?limit=100&sort=${sort}`))
  for (const sort of sorts) again.push(await timed(ask, `${label}?limit=100&sort=${sort}&offset=${features >> 1}`))
  const conditions = [
    'density>=0.01',
    'verdict=pass and density<0.1',
    'label~red',
    'effect>0.1 and q<0.05 and not verdict=fail',
    'promoted_tokens~token7',
  ]
  for (const text of conditions) await timed(ask, `${label}?limit=100&where=${encodeURIComponent(text)}`)
  const filters = []
  for (const text of conditions)
    filters.push(await timed(ask, `${label}?limit=100&where=${encodeURIComponent(text)}&sort=-density`))
  const histogram = await timed(ask, '/api/runs/label/histogram?column=density&scale=log&where=verdict%3Dpass')
  const one = await timed(ask, `${label}/${4711 % features}`)
  tell.result({
    case: 'tables',
    coldMs: cold,
    sortFirstMs: Math.max(...first),
    sortMs: Math.max(...again),
    filterMs: Math.max(...filters),
    histogramMs: histogram,
    featureMs: one,
  })
  tell.line(`first page of the table, read from disk      ${cold.toFixed(0)} ms`)
  tell.line(
    `sort, for the first time                     ${median(first).toFixed(0)} ms, at most ${Math.max(...first).toFixed(0)} ms`,
  )
  tell.line(
    `sort, again                                  ${median(again).toFixed(0)} ms, at most ${Math.max(...again).toFixed(0)} ms`,
  )
  tell.line(
    `filter and sort                              ${median(filters).toFixed(0)} ms, at most ${Math.max(...filters).toFixed(0)} ms`,
  )
  tell.line(`histogram under a filter                     ${histogram.toFixed(0)} ms`)
  tell.line(`one feature with examples                    ${one.toFixed(0)} ms`)
}

/** How long after a line is on disk its event arrives. */
async function liveDelay(folder: string, ask: Ask, tell: Teller): Promise<void> {
  const control = new AbortController()
  const response = await ask('/api/live?run=train', control.signal)
  const delays: number[] = []
  const reading = (async () => {
    const decoder = new TextDecoder()
    let text = ''
    for await (const chunk of response.body!) {
      text += decoder.decode(chunk, { stream: true })
      const events = text.split('\n\n')
      text = events.pop()!
      for (const event of events)
        for (const [, written] of event.matchAll(/"written":(\d+(?:\.\d+)?)/g))
          delays.push(performance.timeOrigin + performance.now() - Number(written))
    }
  })().catch(error => {
    if (!control.signal.aborted) throw error
  })
  const file = await open(join(folder, 'train', 'metrics.jsonl'), 'a')
  for (let i = 0; i < 60; i++) {
    await file.write(`${JSON.stringify({ step: 100_000 + i, written: performance.timeOrigin + performance.now() })}\n`)
    await new Promise(done => setTimeout(done, 50))
  }
  await new Promise(done => setTimeout(done, 1000))
  await file.close()
  control.abort()
  await reading
  if (delays.length !== 60) throw new Error(`${delays.length} of 60 records arrived.`)
  tell.result({ case: 'live', medianMs: median(delays), largestMs: Math.max(...delays) })
  tell.line(
    `live curve behind the file                   ${median(delays).toFixed(0)} ms, at most ${Math.max(...delays).toFixed(0)} ms`,
  )
}

/** Requests at a steady rate, each sent at its time whether or not earlier ones are answered. */
async function steady(
  ask: Ask,
  { seconds, rate, features }: { seconds: number; rate: number; features: number },
  rss: () => number,
  tell: Teller,
): Promise<void> {
  const path = (i: number) =>
    [
      '/api/runs',
      `${label}?limit=50&offset=${(i * 37) % features}&sort=-density`,
      `${label}?limit=50&where=${encodeURIComponent(`density>${(i % 100) / 2000}`)}`,
      `/api/runs/label/features/${(i * 7919) % features}`,
      '/api/runs/train/curves?key=loss&buckets=400',
      '/api/runs/train/lineage',
      `/api/runs/label/histogram?column=density&where=${encodeURIComponent(`max_activation>${i % 20}`)}`,
      '/api/runs/label',
    ][i % 8]!
  for (let i = 0; i < 40; i++) await timed(ask, path(i))
  const memory = [rss()]
  const times: number[] = []
  const failures: string[] = []
  const open: Promise<unknown>[] = []
  const begin = performance.now()
  for (let i = 0; i < seconds * rate; i++) {
    const due = begin + (i * 1000) / rate
    const early = due - performance.now()
    if (early > 1) await new Promise(done => setTimeout(done, early))
    // From when it was due: a sender that is late does not make answers look fast.
    const sent = timed(ask, path(i)).then(
      () => times.push(performance.now() - due),
      error => failures.push(error instanceof Error ? error.message : String(error)),
    )
    open.push(sent)
    if (i % (rate * 5) === 0 && i > 0) memory.push(rss())
  }
  await Promise.all(open)
  const reached = times.length / ((performance.now() - begin) / 1000)
  memory.push(rss())
  if (times.length === 0) throw new Error(`No request was answered: ${failures[0]}`)
  const half = memory.slice(Math.floor(memory.length / 2))
  const [p50, p99, largest] = [quantile(times, 0.5), quantile(times, 0.99), Math.max(...times)]
  tell.result({
    case: 'steady',
    rate: reached,
    failed: failures.length,
    p50Ms: p50,
    p99Ms: p99,
    largestMs: largest,
    rssMiB: memory,
  })
  tell.line(
    `${reached.toFixed(0)} requests/s for ${seconds} s                  p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(0)} ms, at most ${largest.toFixed(0)} ms`,
  )
  tell.line(
    `memory of the server (MiB, every 5 s)        ${memory.map(value => value.toFixed(0)).join(' ')}; second half ${Math.min(...half).toFixed(0)} to ${Math.max(...half).toFixed(0)}`,
  )
}

/** Edits with a random direction and a foreign latent beside them, as a slider asks for them. */
async function edits(tell: Teller): Promise<void> {
  const worker = await startWorker(new URL('serve-play-worker.ts', import.meta.url), {})
  try {
    await worker.time()
    const times = []
    for (let i = 0; i < 30; i++) times.push((await worker.time()).seconds * 1000)
    const p95 = quantile(times, 0.95)
    tell.result({ case: 'playground', medianMs: median(times), p95Ms: p95, ...(await worker.facts()) })
    tell.line(
      `an edit and two controls, 32 tokens, GPT-2 small  ${median(times).toFixed(0)} ms, p95 ${p95.toFixed(0)} ms`,
    )
  } finally {
    worker.stop()
  }
}
