/**
 * How fast the browser of features answers in Chromium, over a made-up store: first paint, when it can be used, and from a press
 * to the rows of another order or condition. Needs Chromium: PIPELINE_BROWSER names it where it is not /usr/bin/chromium.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { z } from 'zod'
import { writeStore } from '../dashboard/server/browser.fixture.ts'
import { chromiumPath } from '../dashboard/server/chromium.fixture.ts'
import { listen } from '../dashboard/server/listen.ts'
import { median } from './noise.ts'
import { defineBench, flags, type Teller } from './options.ts'

const Config = z.strictObject({
  rounds: flags.rounds,
  features: z.int().min(1000).default(100_000).describe('Features of the made-up label run'),
})

/** Milliseconds from a press of the button with this text until other rows stand there. */
const pressed = (name: string) => `new Promise(done => {
  const button = [...document.querySelectorAll('#browser button')].find(one => one.textContent.trim().startsWith('${name}'))
  const shown = () => document.querySelector('#browser [role=status]').textContent + document.querySelector('.browser tbody').textContent
  const before = shown()
  const start = performance.now()
  button.click()
  const look = () =>
    shown() !== before && !document.querySelector('.browser tr.coming') ? done(performance.now() - start) : requestAnimationFrame(look)
  look()
})`

export default defineBench({
  about: 'Milliseconds until the browser of features is painted, can be used, is sorted and is filtered, in Chromium.',
  examples: ['npm run bench -- dashboard', 'npm run bench -- dashboard --features 20000 --rounds 3 --json'],
  config: Config,
  engine: 'auto',
  run: measure,
})

async function measure({ rounds, features }: z.output<typeof Config>, tell: Teller): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'pipeline-dashboard-'))
  const stop = new AbortController()
  let browser: Browser | undefined
  try {
    await writeStore(directory, features, ['red', 'apple', 'river'])
    const options = { directory, version: '', host: '127.0.0.1', port: 0, exactly: false, signal: stop.signal }
    const serving = await listen({ ...options, onBug: error => tell.line(String(error)) })
    browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] })
    const found = { firstPaint: [] as number[], usable: [] as number[], sort: [] as number[], filter: [] as number[] }
    for (let round = 0; round < rounds; round++) {
      const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage()
      await page.goto(serving.address)
      await page.goto(`http://127.0.0.1:${serving.port}/runs/labelled/features`)
      await page.waitForTimeout(1500)
      const at = (name: string) => page.evaluate<number>(`performance.getEntriesByName('${name}')[0].startTime`)
      found.firstPaint.push(await at('first-contentful-paint'))
      found.usable.push(await at('interactive'))
      found.sort.push(await page.evaluate<number>(pressed('Density')))
      found.filter.push(await page.evaluate<number>(pressed('dense')))
      await page.context().close()
    }
    for (const [name, values] of Object.entries(found)) {
      const milliseconds = median(values)
      tell.line(
        `${name.padEnd(12)} ${milliseconds.toFixed(0).padStart(6)} ms  median of ${rounds}, least ${Math.min(...values).toFixed(0)}, most ${Math.max(...values).toFixed(0)}`,
      )
      tell.result({ case: name, features, milliseconds, least: Math.min(...values), most: Math.max(...values) })
    }
  } finally {
    await browser?.close()
    stop.abort()
    await rm(directory, { recursive: true, force: true })
  }
}
