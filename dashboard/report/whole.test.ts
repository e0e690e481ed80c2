import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { featureOf, madeUpHashes, testedAs } from '../../labels/evidence.fixture.ts'
import { type MadeUpReport, madeUpReport } from './made-up.fixture.ts'

const folders: string[] = []
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

async function made(parts: MadeUpReport): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'report-'))
  folders.push(folder)
  return readFile(join(await madeUpReport(folder, parts), 'report.html'), 'utf8')
}

describe('a report is about one SAE, model and text', () => {
  const parts = { features: [featureOf(1)], tested: [{ feature: 1 }] }

  test('and is made where all agree', async () => expect(await made(parts)).toContain('Latent 1'))

  test.each([
    [
      'evidence of another SAE',
      { ...madeUpHashes, sae: 'other' },
      {},
      /The evidence of run42-validate is about another SAE than the report: sae-of-validate \(hash other\), not run42 \(hash sae-hash\)/,
    ],
    [
      'labels of another SAE',
      { ...madeUpHashes, sae: 'other' },
      { saeHash: 'other' },
      /The labelling run42-label is about another SAE than the report: sae-of-label \(hash sae-hash\), not run42 \(hash other\)/,
    ],
    [
      'evidence about another model',
      { ...madeUpHashes, model: 'other' },
      {},
      /another model than the labelling run42-label: one of hash other, not one of hash model-hash/,
    ],
    ['evidence about another text', { ...madeUpHashes, dataset: 'other' }, {}, /another text than the labelling/],
  ])('%s is refused, naming both', (_, evidenceHashes, more, message) =>
    expect(made({ ...parts, ...more, evidenceHashes })).rejects.toThrow(message),
  )

  test('and shows the verdicts of the evidence it is given, whichever the labels were joined with', async () => {
    const features = [featureOf(1, { evidence: testedAs({ verdict: 'pass' }) }), featureOf(2)]
    const html = await made({ features, tested: [{ feature: 1, verdict: 'fail' }] })
    expect(html).not.toMatch(/<span class="pill pass">/)
    expect(html.match(/<span class="pill fail">/g)).toHaveLength(4)
    // The claim begins with five answers, as its page does.
    expect(html.match(/<dt>[^<]+\?<\/dt>/g)).toHaveLength(5)
  })
})

describe('a report leads where it points', () => {
  const anchors = (html: string) => ({
    links: [...html.matchAll(/href="#([^"]+)"/g)].map(match => match[1]!),
    ids: [...html.matchAll(/ id="([^"]+)"/g)].map(match => match[1]!),
  })

  test.each([0, 2, 40])('with %d features shown, every link has its place and every place is one', async shown => {
    const features = Array.from({ length: 8 }, (_, latent) => featureOf(latent))
    const { links, ids } = anchors(
      await made({ features, tested: [{ feature: 0 }, { feature: 2 }, { feature: 5 }], shown }),
    )
    expect(links.length).toBeGreaterThan(4)
    for (const link of links) expect(ids).toContain(link)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('with more tested than it has room for, it says how many are left out', async () => {
    const tested = Array.from({ length: 250 }, (_, feature) => ({ feature }))
    const html = await made({ features: [featureOf(0)], tested })
    const { links, ids } = anchors(html)
    for (const link of links) expect(ids).toContain(link)
    expect(html).toContain('50 more tested latents are in evidence.json')
    expect(html.length).toBeLessThan(640_000)
  })
})

describe('figures say what they are of', () => {
  test('FVU is of held-out text, dead latents are counted once, grey is by quantiles, effects have their n', async () => {
    const features = [featureOf(0), featureOf(1, { density: 0, meanActivation: null })]
    const html = await made({ features, tested: [{ feature: 0, primary: 'steer' }] })
    expect(html).toContain('<b>0.25</b><span>FVU</span><small>variance unexplained, on held-out text</small>')
    expect(html.match(/\bdead\b/g)).toHaveLength(1)
    expect(html).toContain('<b>1</b><span>dead latents</span><small>fire on no token that was read for labels</small>')
    expect(html).toContain('grey: the middle 95 % of other latents at equal norm, by quantiles')
    expect(html).toContain('<small>steering at dose 1</small><small>12 documents</small>')
    expect(html).not.toContain('ablation')
  })
})

describe('hostile text', () => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that none is there is the claim.
  const unseen = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/
  const bad = [
    ...['</style><script>alert(1)</script>', '"onmouseover="alert(1)', '<!--', '\u202eturned', '\u2066x', 'a\0b'],
    ...['\u001b[31m', '\u009b31m', '\u0007', '\u2028', '\ufeff', '\ud800', '&lt;b&gt;'],
  ]

  test('is written out wherever it stands, and never runs', async () => {
    const features = bad.map((text, latent) =>
      featureOf(latent, {
        ...{ label: text, promoted: [{ token: text, effect: 1 }], suppressed: [{ token: text, effect: -1 }] },
        evidence: testedAs({ concept: text, metric: text, effect: 1 }),
      }),
    )
    const tested = bad.map((concept, feature) => ({ feature, concept }))
    const examples = bad.map((text, latent) => ({ latent, tokens: ['a', text, 'b'] }))
    const html = await made({ title: bad.join(' '), features, tested, examples })
    expect(html).not.toMatch(unseen)
    expect(html).not.toMatch(/<script|<!--/)
    expect(html).not.toMatch(/"onmouseover/)
    expect(html.match(/<\/style>/g)).toHaveLength(1)
    for (const written of ['\\u202eturned', '\\u2066x', 'a\\u0000b', '\\u001b[31m', '\\u009b31m', '\\u2028', '\\ud800'])
      expect(html).toContain(written)
  })

  test('of a megabyte is cut with its length said, wherever it stands', async () => {
    const long = 'W'.repeat(1_000_000)
    const features = Array.from({ length: 20 }, (_, latent) =>
      featureOf(latent, { label: long, promoted: [{ token: long, effect: 1 }] }),
    )
    const examples = features.map(({ latent }) => ({ latent, tokens: [long, 'b', long] }))
    const html = await made({ title: long, features, tested: [{ feature: 0, concept: long }], examples })
    expect(html.length).toBeLessThan(200_000)
    expect(html).toContain('W… (1,000,000 characters)')
  })
})
