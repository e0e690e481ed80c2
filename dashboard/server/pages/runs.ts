/** The first page: what runs there are, newest first. */
import { duration } from '../../../core/text.ts'
import type { RunManifest } from '../../../runs/run.ts'
import { short } from '../../charts/scale.ts'
import { escapeHtml, shown } from '../../html.ts'
import { pill, table } from '../../report/page.ts'
import { link, type PageRoute } from './page.ts'

/** Runs on a page. */
const most = 500

export const runsPage: PageRoute = {
  path: '/',
  async make({ runs }, _, query) {
    const { runs: all, unreadable } = await runs.list()
    const stage = query.get('stage')
    const chosen = all.map(({ manifest }) => manifest).filter(run => stage === null || run.stage === stage)
    const stages = [...new Set(all.map(({ manifest }) => manifest.stage))].sort()
    const rows = chosen.reverse().slice(0, most).map(rowOf)
    const filters = [
      '<a href="/">all stages</a>',
      ...stages.map(name => `<a href="/?stage=${encodeURIComponent(name)}">${escapeHtml(name)}</a>`),
    ]
    const broken = unreadable.map(
      ({ directory, reason }) => `<li><code>${shown(directory, 300)}</code>: ${shown(reason, 300)}</li>`,
    )
    return {
      title: 'Runs',
      body: `<nav aria-label="Stages">${filters.join('')}</nav>
${rows.length > 0 ? table(['Run', 'Stage', 'Status', 'Started', '#Took', 'Figures'], rows) : '<p class="nothing">There are no runs here yet. <code>pipeline run examples/demo.yaml</code> makes some.</p>'}
${chosen.length > most ? `<p class="soft">${chosen.length - most} older ones are in the API.</p>` : ''}
${broken.length > 0 ? `<h2>Folders that cannot be read</h2><ul>${broken.join('')}</ul>` : ''}`,
    }
  },
}

function rowOf({ id, stage, status, started, finished, summary }: RunManifest): string[] {
  const took = finished === null ? '–' : duration((Date.parse(finished) - Date.parse(started)) / 1000)
  const figures = Object.entries(summary)
    .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
    .slice(0, 5)
    .map(([name, value]) => `${escapeHtml(name)} ${short(value)}`)
  return [
    link(['runs', id], id),
    whole(stage),
    status === 'finished' ? whole(status) : pill(status === 'failed' ? 'fail' : status),
    whole(`${started.slice(0, 16).replace('T', ' ')}Z`),
    escapeHtml(took),
    figures.join(' · '),
  ]
}

/** Text that is not broken into lines. */
const whole = (text: string) => `<span class="whole">${escapeHtml(text)}</span>`
