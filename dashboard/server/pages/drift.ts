/** Drift: how far two captures, label runs or validate runs differ, with what changed under them. */
import { drift } from '../../api/contracts/evidence.ts'
import { runs as runsContract } from '../../api/contracts/runs.ts'
import { figureOf, forest, short } from '../../charts/index.ts'
import { shown } from '../../html.ts'
import type { FigureOrigin } from '../../origin.ts'
import { withInterval } from '../../report/claim-card.ts'
import { table } from '../../report/page.ts'
import { type Ask, askOf, orWhyNot } from './ask.ts'
import { form, select } from './form.ts'
import type { PageRoute } from './page.ts'

/** The file of each stage that shifts are computed from. */
const files: Readonly<Record<string, string>> = {
  ...{ capture: 'capture.json', label: 'features.parquet', validate: 'evidence.json' },
}

/** Where a shift's numbers stand in that file. */
function whereOf(stage: string, what: string): string | undefined {
  const latent = /^latent (\d+)$/.exec(what)?.[1]
  if (latent === undefined) return stage === 'capture' ? 'sites' : undefined
  return stage === 'label' ? `latent=${latent}` : `features[] | select(.claim.feature==${latent})`
}

/** Shifts that are drawn. */
const mostDrawn = 20

export const driftPage: PageRoute = {
  path: '/drift',
  async make(sources, _, query) {
    const ask = askOf(sources)
    const asked = { base: query.get('base') ?? '', now: query.get('now') ?? '' }
    const lists = await Promise.all(
      ['capture', 'label', 'validate'].map(stage =>
        ask(runsContract, { query: { stage, status: 'finished', limit: '300' } }),
      ),
    )
    const options = lists.flatMap(({ runs }) => runs.map(({ id, stage }): [string, string] => [id, `${stage}: ${id}`]))
    return {
      title: 'Drift',
      body: `${form([select('base', 'Before', [['', 'choose'], ...options], asked.base), select('now', 'Now', [['', 'choose'], ...options], asked.now)])}
${asked.base && asked.now ? await orWhyNot(shiftsHtml(ask, asked)) : '<p class="nothing">Choose two runs of one stage: captures are held beside each other by their values, label runs by how often latents fire, validate runs by effects.</p>'}`,
    }
  },
}

async function shiftsHtml(ask: Ask, asked: { readonly base: string; readonly now: string }): Promise<string> {
  const found = await ask(drift, { query: { ...asked, limit: '200' } })
  const changed = found.changed.map(({ what, base, now }) => [
    shown(what),
    `<code>${shown(base ?? 'missing')}</code>`,
    `<code>${shown(now ?? 'missing')}</code>`,
  ])
  const rows = found.shifts.map(one => [
    shown(one.what),
    shown(one.measure),
    withInterval(one.value, one),
    short(one.base),
    short(one.now),
    `${short(one.n.base)}, ${short(one.n.now)}`,
    short(one.p),
    short(one.q),
  ])
  const estimates = found.shifts
    .filter(({ low, high }) => low !== null && high !== null)
    .slice(0, mostDrawn)
    .map(one => ({
      ...one,
      name: `${one.what} ${one.measure}`,
      state: 'unjudged',
      n: `n ${short(one.n.base)}, ${short(one.n.now)}`,
      shift: one,
    }))
  const file = files[found.stage] ?? 'run.json'
  const originOfShifts = (shifts: typeof found.shifts): FigureOrigin => ({
    ...{ run: found.now, file, n: row => `${short(shifts[row]!.n.base)} before, ${short(shifts[row]!.n.now)} now` },
    where: row => whereOf(found.stage, shifts[row]!.what),
    columns: {
      Value: {
        definition: `${[...new Set(shifts.map(({ measure }) => `${measure}: ${found.definitions[measure] ?? measure}`))].join('; ')}; from the same place of ${found.base} and ${found.now}`,
      },
    },
  })
  const definitions = Object.entries(found.definitions).map(([name, text]) => [
    `<code>${shown(name)}</code>`,
    shown(text, 500),
  ])
  return `<h2>What changed under them</h2>${changed.length > 0 ? table(['What', 'Before', 'Now'], changed) : '<p>Model, text and SAE are the same by hash.</p>'}
<h2>Shifts: ${found.shifts.length} of ${found.total}</h2>
${estimates.length > 0 ? `<div class="charts">${figureOf(forest, { x: 'shift', rows: estimates }, { title: 'Shifts with an interval', origin: originOfShifts(estimates.map(({ shift }) => shift)) })}</div>` : ''}
${rows.length > 0 ? table(['What', 'Measure', { name: '#Shift', definition: 'the measure’s value; what each measure is stands below' }, '#Before', '#Now', 'n', '#p', '#q'], rows, originOfShifts(found.shifts)) : '<p class="nothing">There is nothing that both have.</p>'}
<h2>What the measures are</h2>${table(['Measure', 'Definition'], definitions)}`
}
