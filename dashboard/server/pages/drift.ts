/** Drift: what `pipeline runs drift` found of two runs, or the command that finds it. */
import { drift } from '../../api/contracts/drift.ts'
import { runs as runsContract } from '../../api/contracts/runs.ts'
import { comparedStages } from '../../read/drift.ts'
import { driftHtml } from '../../report/drift.ts'
import { type Ask, askOf, orWhyNot } from './ask.ts'
import { form, select } from './form.ts'
import { link, type PageRoute } from './page.ts'

interface Asked {
  readonly base: string
  readonly now: string
  readonly run: string
}

export const driftPage: PageRoute = {
  path: '/drift',
  async make(sources, _, query) {
    const ask = askOf(sources)
    const asked = { base: query.get('base') ?? '', now: query.get('now') ?? '', run: query.get('run') ?? '' }
    const lists = await Promise.all(
      comparedStages.map(stage => ask(runsContract, { query: { stage, status: 'finished', limit: '300' } })),
    )
    const options = lists.flatMap(({ runs }) => runs.map(({ id, stage }): [string, string] => [id, `${stage}: ${id}`]))
    const choice = form([
      select('base', 'Before', [['', 'choose'], ...options], asked.base),
      select('now', 'Now', [['', 'choose'], ...options], asked.now),
    ])
    return {
      title: 'Drift',
      body: `${choice}
${asked.base && asked.now ? await orWhyNot(comparison(ask, asked)) : `${await keptHtml(ask)}<p class="nothing">Choose two captures, two SAEs or two validate runs of one SAE.</p>`}`,
    }
  },
}

async function comparison(ask: Ask, asked: Asked): Promise<string> {
  const { run, runs, base, now, next: _, ...found } = await ask(drift, { query: { ...asked, limit: '200' } })
  const others = runs.filter(id => id !== run)
  const more =
    others.length > 0
      ? ` Others of these two: ${others.map(id => `<a href="${addressOf({ base, now, run: id })}">${id}</a>`).join(', ')}.`
      : ''
  return `<p class="soft">Kept in ${link(['runs', run], run)}.${more}</p>${driftHtml(found, run)}`
}

/** The comparisons that the store keeps, newest first. */
async function keptHtml(ask: Ask): Promise<string> {
  const { runs } = await ask(runsContract, { query: { stage: 'drift', status: 'finished', limit: '50' } })
  if (runs.length === 0) return ''
  const lines = runs.map(({ id, summary }) => {
    const figures = [summary.drifted, summary.tested].every(value => typeof value === 'number')
      ? `: ${summary.drifted} of ${summary.tested} cells drifted`
      : ''
    return `<li>${link(['runs', id], id)}${figures}</li>`
  })
  return `<h2>Kept comparisons</h2><ul>${lines.join('')}</ul>`
}

const addressOf = (asked: Asked) => `/drift?${new URLSearchParams({ ...asked })}`.replaceAll('&', '&#38;')
