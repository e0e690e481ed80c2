/** Claims of all runs with what would change them, negative ones with equal weight, and the families that p-values are held to. */

import { Change, definitions } from '../../../validation/evidence.ts'
import { claims as claimsContract } from '../../api/contracts/evidence.ts'
import { figureOf, lines, short } from '../../charts/index.ts'
import { escapeHtml, shown } from '../../html.ts'
import { changeText } from '../../report/change-text.ts'
import { withInterval } from '../../report/claim-card.ts'
import { pill, table, tiles } from '../../report/page.ts'
import { type Ask, askOf } from './ask.ts'
import { form, select } from './form.ts'
import { link, type PageRoute } from './page.ts'

const verdicts = ['', 'pass', 'fail', 'inconclusive', 'not-run']
const mostFamilies = 12

export const claimsPage: PageRoute = {
  path: '/claims',
  async make(sources, _, query) {
    const one = (name: string) => query.get(name) ?? ''
    const asked = { run: one('run'), verdict: one('verdict'), cursor: one('cursor') }
    const found = await askOf(sources)(claimsContract, { query: { ...asked, limit: '200' } })
    const runs = [...new Set([...found.claims.map(({ run }) => run), ...(asked.run ? [asked.run] : [])])]
    const next =
      found.next === null
        ? ''
        : `<p><a href="?${escapeHtml(new URLSearchParams({ ...asked, cursor: found.next }).toString())}">More claims</a></p>`
    return {
      title: 'Claims',
      body: `${form([
        select('run', 'Run', [['', 'all'], ...runs.map((id): [string, string] => [id, id])], asked.run),
        select(
          'verdict',
          'Verdict',
          verdicts.map(verdict => [verdict, verdict || 'all']),
          asked.verdict,
        ),
      ])}
${tiles(Object.entries(found.counts).map(([name, count]) => ({ name, value: String(count) })))}
<p class="soft" role="status">${found.total} ${found.total === 1 ? 'claim' : 'claims'}${asked.verdict || asked.run ? ' like that' : ''}. Stands: the verdict over all runs that tested the latent of the same SAE, the same test counted once.</p>
${claimsTable(found)}${next}
<h2>Families of tests</h2>
<p class="soft">p-values in order, and the line that Benjamini and Hochberg hold them to: all up to the last one below the line pass together.</p>
<div class="charts">${familiesHtml(found)}</div>
${
  found.unreadable.length > 0
    ? `<h2>Runs that are not counted</h2>${table(
        ['Run', 'Why'],
        found.unreadable.map(({ run, reason }) => [shown(run), shown(reason, 300)]),
      )}`
    : ''
}`,
    }
  },
}

type Found = Awaited<ReturnType<typeof foundType>>
const foundType = (ask: Ask) => ask(claimsContract)

function claimsTable({ claims }: Found): string {
  if (claims.length === 0)
    return '<p class="nothing">Not run: no claim was tested. <code>pipeline validate --sae SAE</code> does.</p>'
  const rows = claims.map(one => [
    `${link(['runs', one.run], `latent ${one.feature}`)}<small>${shown(one.concept ?? 'what follows it')}</small>`,
    `${pill(one.verdict)}<small>${shown(one.tier)}</small>`,
    `${shown(one.intervention)}<small>${one.stated === 'file' ? 'stated in a file' : 'stated by the settings'}</small>`,
    withInterval(one.effect, one),
    `${short(one.q)}<small>p ${short(one.p)}</small>`,
    `${short(one.minimumDetectableEffect)}<small>power ${short(one.power)} at ${short(one.smallestEffect)}</small>`,
    `<span class="whole">${shown(one.standing)}</span><small>${shown(one.standingTier)}</small><small>${one.runs} ${one.runs === 1 ? 'run' : 'runs'}, q ${short(one.qAcross)}</small>`,
    one.wouldChange[0] ? changeText(Change.parse(one.wouldChange[0])) : '–',
  ])
  const origin = {
    ...{ run: (row: number) => claims[row]!.run, file: 'evidence.json', split: 'validation' },
    where: (row: number) =>
      `features[] | select(.claim.feature==${claims[row]!.feature}) | .${claims[row]!.intervention}`,
    n: (row: number) => `${claims[row]!.documents} documents`,
  }
  const columns = [
    ...['Claim', 'Verdict', 'Test'],
    {
      name: '#Effect, nats',
      path: 'metrics.target.effect.mean',
      definition: definitions.target,
    },
    { name: '#q', path: 'test.q', definition: definitions.q },
    {
      name: '#Detectable from',
      path: 'power.minimumDetectableEffect',
      definition: definitions.minimumDetectableEffect,
    },
    ...['Stands', 'What would change it'],
  ]
  return table(columns, rows, origin)
}

function familiesHtml({ families }: Found): string {
  if (families.length === 0) return '<p class="nothing">There are none yet.</p>'
  const figures = families.slice(0, mostFamilies).map(({ run, family, size, alpha, p, line, uniformity }) => {
    const points = (values: readonly number[]) => values.map((value, i): [number, number] => [i + 1, value])
    const null_ = uniformity
      ? `Distance of the p-values from those of true nulls ${short(uniformity.distance)}, p ${short(uniformity.p)}.`
      : 'Too few p-values to hold beside those of true nulls.'
    return figureOf(
      lines,
      {
        ...{ x: 'rank', y: 'p' },
        series: [
          { name: 'p', points: points(p), tone: 0 },
          { name: `line at α ${short(alpha)}`, points: points(line), tone: 1 },
        ],
      },
      {
        title: `${family} (${size}), ${run}`,
        note: null_,
        origin: {
          ...{ run, file: 'evidence.json', split: 'validation', n: `${size} tests` },
          where: row =>
            row < size
              ? `features | map(.ablate, .steer | select(. and .test.family=="${family.replace(/[^\w. -]/g, '')}") | .test.p) | sort | .[${row}]`
              : undefined,
          columns: { p: { definition: `${definitions.p}; of the line: α · rank / ${size}` } },
        },
        key: [
          { name: 'p', mark: 'tone-0' },
          { name: 'line', mark: 'tone-1' },
        ],
      },
    )
  })
  const more = families.length - mostFamilies
  return `${figures.join('')}${more > 0 ? `<p class="soft">${more} more families are in the API.</p>` : ''}`
}
