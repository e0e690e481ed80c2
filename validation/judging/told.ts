/** Finished evidence for programs that watch over many: JUnit's XML, and Markdown for a job's summary. */

import type { Gate } from '../../core/gate.ts'
import { counted } from '../../core/text.ts'
import { visible } from '../../core/visible.ts'
import { type Evidence, type FeatureEvidence, flagsOf } from '../evidence.ts'
import type { Standing } from './ledger.ts'

/** What is told: evidence, the gates it was held to, and verdicts among all runs in the order of its features. */
export interface Told {
  readonly run: string
  /** When the run began and ended, ISO 8601. */
  readonly started: string
  readonly finished: string
  readonly evidence: Pick<Evidence, 'features' | 'hashes' | 'site' | 'studies'>
  readonly gates: readonly Gate[]
  readonly standings: readonly Standing[]
}

/** Text for XML: what XML cannot hold is written out, and what it reads as its own is escaped. */
const xml = (text: string) => visible(text).replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)

const limitText = ({ name, threshold }: Gate) => `${name.startsWith('maximum') ? 'at most' : 'at least'} ${threshold}`

/**
 * JUnit XML: a suite of gates and one of claims; `fail` is a failure, `inconclusive` and `not-run` are skipped. It has all that
 * Ant's schema asks for, which is the strictest of those in use. Claims are measured together, so that the suite has the time of
 * the run and a case none, which the schema wants written as 0.
 */
export function junitText({ run, started, finished, evidence, gates, standings }: Told): string {
  const gateCases = gates.map(gate => {
    const told = `${gate.name} is ${gate.value ?? 'unknown'}, ${limitText(gate)}`
    return testCase(`${run}.gates`, gate.name, gate.status, told)
  })
  const claimCases = evidence.features.map((feature, i) => {
    const { claim, reasons } = feature
    const name = claim.concept === null ? `latent ${claim.feature}` : `latent ${claim.feature} ${claim.concept}`
    return testCase(
      `${run}.claims`,
      name,
      standings[i]?.standing ?? feature.verdict,
      [...reasons, ...acrossText(standings[i])].join('; '),
    )
  })
  const about = { run, timestamp: started.slice(0, 19), sae: evidence.hashes.sae, site: evidence.site }
  const seconds = (Date.parse(finished) - Date.parse(started)) / 1000
  const suites = [
    suite({ ...about, id: 0, name: `${run} gates`, seconds: 0 }, gateCases),
    suite({ ...about, id: 1, name: `${run} claims`, seconds }, claimCases),
  ]
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join('')}</testsuites>\n`
}

interface Case {
  readonly state: 'pass' | 'fail' | 'skipped'
  readonly text: string
}

function testCase(classname: string, name: string, verdict: string, told: string): Case {
  const state = verdict === 'pass' ? 'pass' : verdict === 'fail' ? 'fail' : 'skipped'
  const open = `    <testcase classname="${xml(classname)}" name="${xml(name)}" time="0"`
  if (state === 'pass') return { state, text: `${open}/>\n` }
  const inner =
    state === 'fail'
      ? `<failure type="fail" message="${xml(told)}"/>`
      : `<skipped message="${xml(`${verdict}: ${told}`)}"/>`
  return { state, text: `${open}>${inner}</testcase>\n` }
}

interface Suite {
  readonly id: number
  readonly name: string
  readonly run: string
  /** Without a zone, as the schema has it: UTC. */
  readonly timestamp: string
  readonly seconds: number
  readonly sae: string
  readonly site: string
}

function suite({ id, name, run, timestamp, seconds, sae, site }: Suite, cases: readonly Case[]): string {
  const count = (state: Case['state']) => String(cases.filter(one => one.state === state).length)
  const attributes = Object.entries({
    ...{ id: String(id), package: run, name, timestamp, hostname: 'localhost', time: seconds.toFixed(3) },
    ...{ tests: String(cases.length), failures: count('fail'), errors: '0', skipped: count('skipped') },
  })
  const properties = Object.entries({ sae, site })
  return [
    `  <testsuite ${attributes.map(([key, value]) => `${key}="${xml(value)}"`).join(' ')}>\n    <properties>\n`,
    ...properties.map(([key, value]) => `      <property name="${key}" value="${xml(value)}"/>\n`),
    '    </properties>\n',
    ...cases.map(({ text }) => text),
    '    <system-out></system-out>\n    <system-err></system-err>\n  </testsuite>\n',
  ].join('')
}

/** Text for a cell of a table in Markdown that may be shown as HTML. */
const cell = (text: string) =>
  visible(text).replace(/[&<>"'\\`*_{}[\]()#+!|~$@:-]/g, character => `&#${character.charCodeAt(0)};`)

/** Markdown: gates, then a row a claim. */
export function markdownText({ run, evidence, gates, standings }: Told): string {
  const { features, hashes, site, studies } = evidence
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const gateRows = gates.map(gate =>
    row([cell(gate.name), cell(gate.status), number(gate.value), cell(limitText(gate))]),
  )
  const rows = features.map((feature, i) => {
    const { claim, tier } = feature
    const primary = feature[claim.primary]
    const effect = primary?.metrics.target.effect
    return row([
      String(claim.feature),
      cell(claim.concept ?? 'what follows it'),
      cell([standings[i]?.standing ?? feature.verdict, ...flagsOf(feature.studies)].join(', but ')),
      cell(standings[i]?.standingTier ?? tier.tier),
      `${number(effect?.mean)}${effect?.low == null ? '' : ` (${number(effect.low)} to ${number(effect.high)})`}`,
      String(effect?.documents ?? 0),
      number(standings[i]?.qAcross ?? primary?.test.q),
      cell(wouldChange(feature)),
    ])
  })
  return [
    `## ${cell(run)}`,
    '',
    `${counted(features.length, 'claim', 'claims')} at ${cell(site)}, SAE ${cell(hashes.sae.slice(0, 12))}.${studies.baselines ? ` Baselines: ${cell(studies.baselines.summary)}.` : ''}`,
    ...(gates.length > 0 ? ['', '| gate | outcome | value | threshold |', '|---|---|---|---|', ...gateRows] : []),
    ...[
      '',
      '| latent | concept | verdict | tier | effect, nats | documents | q | what would change it |',
      '|---|---|---|---|---|---|---|---|',
    ],
    ...rows,
    '',
  ].join('\n')
}

const number = (value: number | null | undefined) =>
  value === null || value === undefined ? '–' : String(Number(value.toPrecision(3)))

const acrossText = (standing: Standing | undefined): string[] =>
  standing && standing.tried > 1
    ? [
        `tested in ${standing.runs} of ${standing.tried} runs of this SAE (${standing.passing} with a pass), over which q is ${number(standing.qAcross)}`,
      ]
    : []

/** The first thing that would change a feature's tier, in words. */
export function wouldChange({ tier }: FeatureEvidence): string {
  const [first] = tier.wouldChange
  if (!first) return 'nothing asked'
  const { to, path, needs, threshold, value } = first
  const now = value === null ? 'not known' : typeof value === 'number' ? number(value) : String(value)
  return `${to}: ${path} ${needs} ${typeof threshold === 'number' ? number(threshold) : threshold} (now ${now})`
}
