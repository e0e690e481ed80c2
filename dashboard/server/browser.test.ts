/** The pages in a real browser. Skipped where there is none; the whole walk over all pages is part of the long tests. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Evidence, readEvidence } from '../../validation/evidence.ts'
import { short } from '../charts/index.ts'
import { madeUpCompute, writeStore } from './browser.fixture.ts'
import { chromiumPath } from './chromium.fixture.ts'
import { listen, type Serving } from './listen.ts'

/** A page answers within a second; a machine that is busy may take longer. */
const eventually = { timeout: 20_000 }
const isLong = process.env.PIPELINE_LONG !== undefined
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const paths = [
  ...['/', '/runs/trained', '/runs/tested', '/runs/labelled', '/runs/labelled/features', '/runs/labelled/features/1'],
  ...[
    '/runs/labelled/features/4',
    '/train?run=trained&run=running',
    '/compare',
    '/claims',
    '/drift?base=tested&now=tested',
  ],
  ...['/play', '/help', '/runs/gone'],
]

if (!existsSync(chromiumPath))
  test.skip(`there is no browser at ${chromiumPath}: pages are not tried in one`, () => undefined)

describe.runIf(existsSync(chromiumPath))('pages in a browser', () => {
  const folder = mkdtempSync(join(tmpdir(), 'browser-'))
  const bugs: unknown[] = []
  const stop = new AbortController()
  const compute = madeUpCompute()
  let serving: Serving
  let browser: Browser

  beforeAll(async () => {
    await writeStore(folder)
    const options = { directory: folder, version: '1', host: '127.0.0.1', port: 0, exactly: false }
    serving = await listen({
      ...options,
      compute,
      token: 'a token of the tests',
      signal: stop.signal,
      onBug: bug => bugs.push(bug),
    })
    browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] })
  })
  afterAll(async () => {
    await browser?.close()
    stop.abort()
    await serving?.closed
    rmSync(folder, { recursive: true, force: true })
    expect(bugs).toEqual([])
  })

  /** Characters that steer what is seen, and that no page may hold. */
  const unseen = ['\0', '\u001b', '\u202e', '\u2066']
  const named = (character: string) => `U+${character.charCodeAt(0).toString(16)}`

  /** A page that knows the token; whatever goes wrong in it is kept. */
  async function open(
    width: number,
    colorScheme: 'light' | 'dark',
  ): Promise<{ page: Page; wrong: string[]; go(path: string): Promise<void> }> {
    const page = await (await browser.newContext({ viewport: { width, height: 800 }, colorScheme })).newPage()
    const wrong: string[] = []
    page.on('pageerror', error => wrong.push(error.message))
    page.on('console', message => {
      if (message.type() === 'error' && !message.text().includes('404')) wrong.push(message.text())
    })
    page.on('request', request => {
      if (!request.url().startsWith(`http://127.0.0.1:${serving.port}/`) && !request.url().startsWith('data:'))
        wrong.push(request.url())
    })
    await page.goto(serving.address)
    return { page, wrong, go: async path => void (await page.goto(`http://127.0.0.1:${serving.port}${path}`)) }
  }

  /** What axe finds, as sentences. */
  async function faults(page: Page): Promise<string[]> {
    await page.evaluate(axe)
    const run = `axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })`
    const { violations } = (await page.evaluate(run)) as { violations: { id: string; nodes: { html: string }[] }[] }
    return violations.map(({ id, nodes }) => `${id}: ${nodes[0]!.html.slice(0, 200)}`)
  }

  const looks = [
    [320, 'dark'],
    ...(isLong
      ? ([
          [1280, 'light'],
          [320, 'light'],
          [1280, 'dark'],
        ] as const)
      : []),
  ] as const
  const walked = isLong ? paths : ['/', '/runs/labelled/features', '/runs/labelled/features/1', '/claims']

  test.each(looks)(
    'at %d px, %s, no page has a fault that axe knows, runs over its edge, or lets text of runs act',
    async (width, scheme) => {
      const { page, wrong, go } = await open(width, scheme)
      const found: string[] = []
      for (const path of walked) {
        await go(path)
        await page.waitForTimeout(200)
        found.push(...(await faults(page)).map(fault => `${path} ${fault}`))
        if (!(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')))
          found.push(`${path} is too wide`)
        if ((await page.title()) === 'taken') found.push(`${path} ran text of a run`)
        const text = (await page.evaluate('document.body.innerText')) as string
        found.push(...unseen.filter(character => text.includes(character)).map(one => `${path} has ${named(one)}`))
      }
      expect(found).toEqual([])
      expect(wrong).toEqual([])
    },
    // All pages are about a second each, where nothing else is done.
    isLong ? 300_000 : undefined,
  )

  test('axe would find what is wrong', async () => {
    const { page } = await open(1280, 'light')
    await page.evaluate(`document.querySelector('main').insertAdjacentHTML('beforeend', '<img src="data:,">')`)
    expect((await faults(page)).join()).toContain('image-alt')
  })

  test('the numbers of a feature page are those of the files, read by other means', async () => {
    const { page, go } = await open(1280, 'light')
    await go('/runs/labelled/features/1')
    const evidence: Evidence = await readEvidence(join(folder, 'tested', 'evidence.json'))
    const { ablate } = evidence.features.find(({ claim }) => claim.feature === 1)!
    const rows = (await page.evaluate(
      `[...document.querySelectorAll('figure[data-name^="Effect on the target"] .twin tbody tr')].map(row => [...row.cells].map(cell => cell.dataset.value))`,
    )) as string[][]
    const { effect, controls } = ablate!.metrics.target
    expect(rows[0]!.slice(1, 4)).toEqual([effect.mean, effect.low, effect.high].map(String))
    expect(rows[1]!.slice(1, 4)).toEqual(
      [controls[0]!.mean, controls[0]!.spread.low, controls[0]!.spread.high].map(String),
    )
    const lines = readFileSync(join(folder, 'labelled', 'features.jsonl'), 'utf8')
      .trim()
      .split('\n')
    const record = JSON.parse(lines[1]!) as { density: number; labelScore: number }
    const text = (await page.evaluate('document.querySelector("main").innerText')) as string
    expect(text).toContain(`${short(record.density)}\nshare of tokens`)
    expect(text).toMatch(new RegExp(`Score[\\s\\S]{0,20}${short(record.labelScore)}`))
  })

  test('the first screen answers what it is, what it causes, compared with what, how sure and where it fails; a slider sets the threshold', async () => {
    const { page, go } = await open(1280, 'light')
    await go('/runs/labelled/features/1?threshold=3')
    const answers = await page.locator('.answers').innerText()
    for (const part of ['covering 90 %', 'lowers the target', 'other latents, equal norm 0 (−0.3 to 0.15), 19 drawn'])
      expect(answers).toContain(part)
    for (const part of [
      'q 0.05 among 1 claim, over 12 documents',
      'from 0.1 nats',
      'Undecided in language \\u202eturned',
    ])
      expect(answers).toContain(part)
    expect(answers).toContain('changed text: --studies robustness')
    // Of eight tokens four carry the concept; two of these have at least 3, and no other token.
    const said = page.locator('[data-said]')
    expect(await said.innerText()).toContain('recall 0.5')
    expect(await said.innerText()).toContain('2 tokens of the concept and 0 others')
    await page.locator('form[data-roc] input[type=range]').focus()
    await page.keyboard.press('Home')
    await expect.poll(() => page.url(), eventually).toContain('threshold=1')
    expect(await said.innerText()).toContain('3 tokens of the concept and 2 others, 50 % of these')
    const tabs = await page.locator('.tabs a').first().getAttribute('href')
    expect(tabs).toContain('threshold=3')
    await go('/runs/labelled/features/2')
    const other = await page.locator('main').innerText()
    expect(other).toContain('Not run: the claim of latent 2 is about no concept.')
    await go('/runs/labelled/features/3')
    const untested = await page.locator('.answers').innerText()
    expect(untested.match(/Not run: pipeline validate --sae trained --latents '\[3\]'/g)).toHaveLength(4)
  })

  test('the page of features stays short, however long a label is', async () => {
    const { page, go } = await open(1280, 'light')
    await go('/runs/labelled/features')
    const length = await page.evaluate<number>(
      `fetch(location.href).then(answer => answer.text()).then(text => text.length)`,
    )
    expect(length).toBeLessThan(150_000)
  })

  test('the browser of features sorts, filters and reaches the last row, and its state is its address', async () => {
    const { page, go } = await open(1280, 'light')
    await go('/runs/labelled/features')
    const first = () => page.locator('#browser tbody tr:not(.space) a').first().innerText()
    await page.getByRole('button', { name: 'Density' }).click()
    await expect.poll(() => page.url(), eventually).toContain('sort=-density')
    const features = readFileSync(join(folder, 'labelled', 'features.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as { latent: number; density: number; label: string | null })
    const densest = [...features].sort((a, b) => b.density - a.density || a.latent - b.latent)[0]!
    await expect.poll(first, eventually).toBe(String(densest.latent))
    await page.getByRole('button', { name: 'labelled' }).click()
    const labelled = features.filter(({ label }) => label !== null).length
    await expect
      .poll(() => page.locator('#browser [role=status]').innerText(), eventually)
      .toBe(`${labelled} of ${features.length} features`)
    await go('/runs/labelled/features')
    await page.locator('.browser').focus()
    await page.keyboard.press('End')
    await expect
      .poll(() => page.locator('#browser tbody tr:not(.space) a').last().innerText(), eventually)
      .toBe(String(features.length - 1))
  })

  test('columns and ranges are chosen in a panel, by a brush or by keys; what is meant is a file; all of it is the address', async () => {
    const { page, wrong, go } = await open(1280, 'light')
    const features = readFileSync(join(folder, 'labelled', 'features.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as { latent: number; density: number; label: string | null })
    await go('/runs/labelled/features?panel=1')
    const status = page.locator('#browser [role=status]')
    const box = (await page.locator('.range svg[aria-label^="density"]').boundingBox())!
    await page.mouse.move(box.x + 0.52 * box.width, box.y + 20)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width - 1, box.y + 20, { steps: 3 })
    await page.mouse.up()
    await expect.poll(() => page.url(), eventually).toContain('where=density')
    const condition = new URL(page.url()).searchParams.get('where')!
    const [from, to] = /^density>=(.*) and density<=(.*)$/.exec(condition)!.slice(1).map(Number) as [number, number]
    const meant = features.filter(({ density }) => density >= from && density <= to)
    expect(meant.length).toBeGreaterThan(10)
    // The largest density is meant, though the scale is of rounded powers.
    expect(Math.max(...meant.map(({ density }) => density))).toBe(Math.max(...features.map(({ density }) => density)))
    await expect.poll(() => status.innerText(), eventually).toBe(`${meant.length} of ${features.length} features`)
    const input = page.locator('.range', { hasText: 'density' }).locator('input').first()
    await input.fill('0.5')
    await input.press('Enter')
    const dense = features.filter(({ density }) => density >= 0.5 && density <= to)
    await expect.poll(() => status.innerText(), eventually).toBe(`${dense.length} of ${features.length} features`)
    await page.getByRole('button', { name: 'mean_activation', exact: true }).click()
    await page.getByRole('button', { name: 'verdict', exact: true }).click()
    await expect.poll(() => page.url(), eventually).toContain('columns=')
    expect(await page.locator('.browser thead').innerText()).toMatch(/mean_activation/)
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'csv' }).click(),
    ])
    const lines = readFileSync(await download.path(), 'utf8')
      .trim()
      .split(/\r\n(?=\d)/)
    expect(lines).toHaveLength(dense.length + 1)
    expect(lines[0]).toContain('mean_activation')
    if (isLong) expect(await faults(page)).toEqual([])
    const address = page.url()
    await go(new URL(address).pathname + new URL(address).search)
    await expect.poll(() => status.innerText(), eventually).toBe(`${dense.length} of ${features.length} features`)
    await page.getByRole('button', { name: 'All of density' }).click()
    await expect.poll(() => page.url(), eventually).not.toContain('where=')
    expect(wrong).toEqual([])
  })

  test('a walk by keys alone: search, rows, the next feature, where a number is from, help', async () => {
    const { page, go } = await open(1280, 'light')
    await go('/runs/labelled/features')
    await page.waitForSelector('[data-search]')
    await page.keyboard.press('/')
    expect(await page.evaluate('document.activeElement.name')).toBe('label')
    await page.keyboard.type('word 1')
    await page.keyboard.press('Enter')
    await expect.poll(() => page.url(), eventually).toContain('label=word')
    await page.keyboard.press('Tab')
    await page.evaluate('document.activeElement.blur()')
    await expect.poll(() => page.locator('#browser tbody tr:not(.space) a').count(), eventually).toBeGreaterThan(0)
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.waitForURL(/features\/\d+$/)
    const before = page.url()
    await page.keyboard.press(']')
    await expect.poll(() => page.url(), eventually).not.toBe(before)
    await page.waitForSelector('.known:visible')
    await page.locator('.known:visible').first().focus()
    await page.keyboard.press('Enter')
    expect(await page.locator('#origin').innerText()).toMatch(/File\n(evidence\.json|features\.parquet)/)
    await page.keyboard.press('Escape')
    await expect.poll(() => page.locator('#origin').count(), eventually).toBe(0)
    await go('/runs/labelled/features/1')
    await page.locator('[data-name^="Effect on the target"] .drawing').focus()
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    expect(await page.locator('#announcement').innerText()).toContain('other latents')
    await page.keyboard.press('Enter')
    const { mean } = (await readEvidence(join(folder, 'tested', 'evidence.json'))).features[0]!.ablate!.metrics.target
      .controls[0]!
    const panel = await page.locator('#origin').innerText()
    for (const part of [String(mean), 'validation', 'evidence.json', '19 controls', 'tested', '.controls[]'])
      expect(panel).toContain(part)
    await page.getByRole('button', { name: 'Show it in the table' }).click()
    // Where the panel was, the focus goes once its end is told of.
    const focused = () => page.evaluate('document.activeElement.cells?.[1].dataset.value')
    await expect.poll(focused, eventually).toBe(String(mean))
    await page.locator('[data-name="By stratum"] [data-row]').nth(1).click()
    expect(await page.locator('#origin').innerText()).toContain('turned')
    await page.keyboard.press('Escape')
    await page.evaluate('document.activeElement.blur()')
    await page.keyboard.press('?')
    expect(await page.locator('dialog.keys').innerText()).toContain('next feature')
  })

  test('the playground shows two texts, edits beside controls, frozen attention, how it goes on and the claim, all from its address', async () => {
    const { page, wrong, go } = await open(320, 'dark')
    // Other tests look at the playground, too.
    const before = compute.asked.length
    const all = new URLSearchParams({
      ...{ sae: 'trained', text: 'one', second: 'other text', edit: '1:add:2', target: 'x', frozen: '1', length: '8' },
      ...{ temperature: '0.5', seed: '9', claim: '1', hypothesis: '</pre><img src=x onerror=document.title="taken">' },
    })
    await go(`/play?${all}`)
    const text = () => page.evaluate<string>('document.querySelector("main").innerText')
    await expect
      .poll(text, eventually)
      .toMatch(/Differs by[\s\S]*goes on edit[\s\S]*goes on foreign[\s\S]*second text[\s\S]*goes on edit/)
    const shown = await text()
    for (const part of ['−0.5', '0.00781', 'random direction, equal norm', 'Differs by', 'latents: [1]', '--dose 2'])
      expect(shown).toContain(part)
    expect(shown.match(/<img src=x/g)!.length).toBeGreaterThan(3)
    expect(await page.title()).not.toBe('taken')
    if (isLong) expect(await faults(page)).toEqual([])
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
    await page.locator('[data-path="rows[0].change"] .known').first().click()
    const panel = await page.locator('#origin').innerText()
    const asked = [
      ...['Logit of the target', '1 text of', 'trained', 'rows[0].change'],
      `/api/play/edit -d '{"sae":"trained"`,
    ]
    for (const part of asked) expect(panel).toContain(part)
    await page.keyboard.press('Escape')
    // Each once, and none refused, though six questions are of one moment: a page waits for its turn.
    const played = compute.asked.slice(before).filter(({ task }) => task !== 'neighbours')
    expect(played.map(({ task }) => task).sort()).toEqual(
      [...['continued', 'continued', 'fires', 'fires'], ...['play', 'play']].sort(),
    )
    expect(played.find(({ task }) => task === 'play')!.asked).toMatchObject({
      ...{ sae: 'trained', text: 'one', seed: 9, frozen: true, metric: { target: 'x' } },
      edits: [{ latent: 1, kind: 'add', strength: 2 }],
    })
    await page.getByRole('button', { name: 'Take it away' }).click()
    await expect.poll(() => page.url(), eventually).not.toContain('second')
    expect(page.url()).toContain('claim=1')
    expect(wrong).toEqual([])
  })

  test('a run that is written while one looks: its curve follows within two seconds', async () => {
    const { page, go } = await open(1280, 'light')
    await go('/train?run=running')
    await page.waitForSelector('#curves .uplot')
    const drawing = (await page.locator('.frontier svg.scatter').boundingBox())!
    await page.mouse.move(drawing.x + 60, drawing.y + 12)
    await page.mouse.down()
    await page.mouse.move(drawing.x + drawing.width - 12, drawing.y + drawing.height - 50, { steps: 3 })
    await page.mouse.up()
    await page.waitForURL(/run=trained/)
    expect(await page.locator('.frontier .chosen').count()).toBe(1)
    await go('/train?run=running')
    await page.waitForSelector('#curves .uplot')
    const { appendFileSync } = await import('node:fs')
    appendFileSync(
      join(folder, 'running', 'metrics.jsonl'),
      `${JSON.stringify({ step: 1, tokens: 100, loss: 0.125, fvu: 0.5 })}\n`,
    )
    const written = Date.now()
    const table = () => page.locator('figure[data-name^="Loss, of"] .twin').textContent()
    await expect.poll(table, eventually).toContain('0.125')
    expect(Date.now() - written).toBeLessThan(isLong ? 2000 : 15_000)
  })
})
