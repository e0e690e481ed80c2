import { describe, expect, test } from 'vitest'
import type { Gate } from '../../core/gate.ts'
import { GatesConfig, judgeGates } from './gates.ts'
import type { Standing } from './ledger.ts'
import { junitText, markdownText, type Told } from './told.ts'

const hostile = 'a"<b>&\u0000\u202e]]>|`x`\n'
const feature = (latent: number, verdict: string, more: Record<string, unknown> = {}) => ({
  claim: { feature: latent, concept: latent === 1 ? hostile : null, primary: 'ablate' },
  verdict,
  reasons: [`because ${hostile}`],
  tier: {
    tier: verdict === 'pass' ? 'supported' : verdict === 'fail' ? 'refuted' : 'suggestive',
    wouldChange: [{ to: 'supported', path: 'ablate.test.q', needs: 'at most', threshold: 0.05, value: 0.2 }],
  },
  sideEffect: { mean: 0.01 * latent },
  studies: {},
  ablate: { test: { q: 0.2 }, metrics: { target: { effect: { mean: -0.5, low: -0.6, high: -0.4, documents: 16 } } } },
  ...more,
})
const features = [feature(1, 'pass'), feature(2, 'fail'), feature(3, 'inconclusive'), feature(4, 'pass')]
const gates: Gate[] = [
  { name: 'minimumPassed', status: 'pass', value: 2, threshold: 1 },
  { name: 'maximumFvu', status: 'fail', value: 0.3, threshold: 0.1 },
  { name: 'minimumTransfer', status: 'inconclusive', value: null, threshold: 0.5 },
]
const standings = features.map(
  ({ verdict }, i) =>
    ({
      standing: i === 3 ? 'inconclusive' : verdict,
      standingTier: i === 3 ? 'suggestive' : features[i]!.tier.tier,
      runs: i === 3 ? 4 : 1,
      tried: i === 3 ? 5 : 1,
      passing: 2,
      qAcross: 0.3,
    }) as unknown as Standing,
)
const evidence = {
  features,
  hashes: { sae: 'f'.repeat(64) },
  site: 'blocks.1',
  studies: {},
  reconstruction: { fvu: 0.3, ceRecoveredMean: null },
}
const times = { started: '2026-11-28T09:00:00.250Z', finished: '2026-11-28T09:00:26.000Z' }
const told = { run: `run ${hostile}`, ...times, evidence, gates, standings } as unknown as Told

describe('JUnit XML', () => {
  const xml = junitText(told)
  test('counts what passed, failed and was skipped', () => {
    expect(xml).toContain('tests="3" failures="1" errors="0" skipped="1"')
    expect(xml).toContain('tests="4" failures="1" errors="0" skipped="2"')
    expect(xml).toContain('timestamp="2026-11-28T09:00:00" hostname="localhost" time="25.750"')
    expect(xml).toContain('tested in 4 of 5 runs of this SAE (2 with a pass)')
  })

  test('is well-formed whatever names hold: balanced elements, no bare sign, no character that XML cannot hold', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
    expect(xml).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u202e]/)
    expect(xml).not.toMatch(/&(?!#\d+;)/)
    const open: string[] = []
    for (const [, close, name, attributes, single] of xml.matchAll(
      /<(\/?)([a-z-]+)((?:\s+[a-z]+="[^"<>]*")*)\s*(\/?)>/g,
    )) {
      if (close) expect(open.pop()).toBe(name)
      else if (!single) open.push(name!)
      expect(attributes).toBeDefined()
    }
    expect(open).toEqual([])
    const rest = xml.replace(/<\?xml[^?]*\?>|<\/?[a-z-]+(?:\s+[a-z]+="[^"<>]*")*\s*\/?>/g, '')
    expect(rest.trim()).toBe('')
  })

  // What the schemas of Ant (JUnit.xsd) and Jenkins (junit-10.xsd) ask for, where they differ the stricter.
  test('has every attribute that readers ask for, of its type, and elements in their order', () => {
    const [name, time, whole] = [/^.+$/s, /^\d+(\.\d+)?$/, /^\d+$/]
    const attributesOf: Record<string, Record<string, RegExp>> = {
      testsuites: {},
      testsuite: {
        ...{ id: whole, package: name, name, timestamp: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/, hostname: name, time },
        ...{ tests: whole, failures: whole, errors: whole, skipped: whole },
      },
      properties: {},
      property: { name, value: name },
      testcase: { classname: name, name, time },
      failure: { type: name, message: name },
      skipped: { message: name },
      'system-out': {},
      'system-err': {},
    }
    const orders: string[] = []
    for (const [, element, attributes] of xml.matchAll(/<([a-z-]+)((?:\s+[a-z]+="[^"]*")*)\s*\/?>/g)) {
      const found = Object.fromEntries([...attributes!.matchAll(/([a-z]+)="([^"]*)"/g)].map(([, k, v]) => [k, v]))
      const wanted = attributesOf[element!]!
      expect(Object.keys(found).sort(), element).toEqual(Object.keys(wanted).sort())
      for (const [key, type] of Object.entries(wanted)) expect(found[key], `${element} ${key}`).toMatch(type)
      orders.push(element!)
    }
    const order = orders.filter(element => !['property', 'failure', 'skipped'].includes(element)).join(' ')
    const suite = '(testsuite properties( testcase)* system-out system-err ?)'
    expect(`${order} `).toMatch(new RegExp(`^testsuites ${suite}${suite}$`))
    expect([...xml.matchAll(/<testsuite id="(\d)"/g)].map(([, id]) => id)).toEqual(['0', '1'])
  })
})

describe('Markdown', () => {
  test('has a row a claim, with what would change it, and no markup from names', () => {
    const text = markdownText(told)
    const lines = text.split('\n')
    expect(lines.filter(line => line.startsWith('|'))).toHaveLength(2 + 3 + 2 + 4)
    for (const line of lines.filter(line => line.startsWith('|')).slice(-4)) expect(line.split(' | ')).toHaveLength(8)
    expect(text).not.toMatch(/<b>|`x`/)
    expect(text).toContain('-0.5 (-0.6 to -0.4)')
  })
})

describe('gates', () => {
  const judge = (config: object, more?: readonly Standing[]) =>
    judgeGates(
      GatesConfig.parse(config),
      evidence as unknown as Told['evidence'] & { reconstruction: Record<string, unknown> },
      more,
    ).map(({ name, status, value }) => [name, status, value])

  test('count verdicts and tiers, and the verdicts that stand among all runs where they are known', () => {
    expect(judge({ minimumPassed: 2 })).toEqual([['minimumPassed', 'pass', 2]])
    expect(judge({ minimumPassed: 2 }, standings)).toEqual([['minimumPassed', 'inconclusive', 1]])
    expect(judge({ minimumPassed: 4 }, standings)[0]![1]).toBe('fail')
    expect(judge({ minimumSupported: 2 }, standings)).toEqual([['minimumSupported', 'inconclusive', 1]])
    expect(judge({ minimumTriangulated: 1 })).toEqual([['minimumTriangulated', 'inconclusive', 0]])
    expect(judge({ maximumRefuted: 0 })).toEqual([['maximumRefuted', 'fail', 1]])
  })

  test('leave it open whether a claim that could not be measured would pass', () => {
    const silent = { ...evidence, features: [feature(1, 'fail'), feature(2, 'not-run')] } as unknown as Parameters<
      typeof judgeGates
    >[1]
    const status = (minimumPassed: number) => judgeGates(GatesConfig.parse({ minimumPassed }), silent)[0]!.status
    expect([status(0), status(1), status(2)]).toEqual(['pass', 'inconclusive', 'fail'])
  })

  test('hold the worst passing latent to a threshold, and decide nothing where one is not known', () => {
    expect(judge({ maximumSideEffect: 0.05 })).toEqual([['maximumSideEffect', 'pass', 0.04]])
    expect(judge({ maximumSideEffect: 0.03 })[0]![1]).toBe('fail')
    expect(judge({ minimumTransfer: 0.5 })).toEqual([['minimumTransfer', 'inconclusive', null]])
    expect(judge({ aheadOfBaselines: true })).toEqual([['aheadOfBaselines', 'inconclusive', null]])
    expect(judge({ aheadOfBaselines: false })).toEqual([])
    const ahead = { ...evidence, studies: { baselines: { ahead: 'no' } } } as unknown as Parameters<
      typeof judgeGates
    >[1]
    expect(judgeGates(GatesConfig.parse({ aheadOfBaselines: true }), ahead)[0]).toMatchObject({
      status: 'fail',
      value: 0,
    })
    const known = features.map(one => ({
      ...one,
      studies: { transfer: { ratio: one.claim.feature / 4 }, specificity: { isolation: 0.9 } },
    }))
    const both = { ...evidence, features: known } as unknown as Parameters<typeof judgeGates>[1]
    expect(judgeGates(GatesConfig.parse({ minimumTransfer: 0.5, minimumIsolation: 0.8 }), both)).toMatchObject([
      { status: 'fail', value: 0.25 },
      { status: 'pass', value: 0.9 },
    ])
  })
})
