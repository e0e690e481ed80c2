/**
 * `npm run pictures [-- RUNS]`: pictures of the pages in docs/figures, of the demo's runs in the folder RUNS (default: runs), as
 * a browser shows them. Needs Chromium: PIPELINE_BROWSER names it where it is not /usr/bin/chromium.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { chromiumPath } from '../dashboard/server/chromium.fixture.ts'
import { listen } from '../dashboard/server/listen.ts'
import { RunStore } from '../runs/store.ts'

const directory = process.argv[2] ?? 'runs'
const out = fileURLToPath(new URL('../docs/figures/', import.meta.url))
const stop = new AbortController()

/** The newest finished label run of the store, and a latent of it that was tested and passed. */
async function subject(): Promise<{ run: string; latent: number }> {
  const { runs } = await new RunStore(directory).list()
  const run = runs.filter(({ manifest }) => manifest.stage === 'label' && manifest.status === 'finished').at(-1)
  if (!run) throw new Error(`There is no finished label run in ${directory}: run the demo first.`)
  const { readFeatures } = await import('../labels/files.ts')
  const passed = (await readFeatures(run.directory)).filter(({ evidence }) => evidence?.verdict === 'pass')
  const strongest = passed.sort((a, b) => Math.abs(b.evidence!.effect ?? 0) - Math.abs(a.evidence!.effect ?? 0))[0]
  if (!strongest) throw new Error('No feature of the demo passed.')
  return { run: run.manifest.id, latent: strongest.latent }
}

const { run, latent } = await subject()
const options = { directory, version: '', host: '127.0.0.1', port: 0, exactly: false, signal: stop.signal }
const serving = await listen({ ...options, onBug: error => console.error(error) })
const browser = await chromium.launch({
  executablePath: chromiumPath,
  args: ['--no-sandbox'],
})
try {
  const page = await (
    await browser.newContext({ viewport: { width: 1120, height: 900 }, colorScheme: 'light' })
  ).newPage()
  await page.goto(serving.address)
  for (const [name, path, height] of [
    ['runs', '/', 760],
    ['feature', `/runs/${run}/features/${latent}`, 1500],
  ] as const) {
    await page.setViewportSize({ width: 1120, height })
    await page.goto(`http://127.0.0.1:${serving.port}${path}`)
    await page.waitForTimeout(1000)
    const session = await page.context().newCDPSession(page)
    const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: 80 })
    writeFileSync(join(out, `${name}.webp`), Buffer.from(data, 'base64'))
    console.log(`docs/figures/${name}.webp`)
  }
} finally {
  await browser.close()
  stop.abort()
  await serving.closed
}
