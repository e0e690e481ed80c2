/** The first page: what runs there are, newest first, what was made from what, and what cannot be read. */
import type { z } from 'zod'
import { duration, words } from '../../../core/text.ts'
import { figuresFirst } from '../../../runs/first-figures.ts'
import { graph, type RunLine, runs as runsContract, type Unreadable } from '../../api/contracts/runs.ts'
import { figureOf, lineage, short } from '../../charts/index.ts'
import { broken, escapeHtml, shown } from '../../html.ts'
import { valued } from '../../origin.ts'
import { figureOrigin } from '../../report/definitions.ts'
import { pill, table } from '../../report/page.ts'
import { askOf } from './ask.ts'
import { field, form, select } from './form.ts'
import { graphData } from './lineage.ts'
import { link, type PageRoute } from './page.ts'

/** Runs on a page, and those in the picture above them. */
const perPage = 200
const mostDrawn = 40

const stages = ['', 'capture', 'train', 'import', 'validate', 'label', 'report', 'drift', 'circuit', 'edit']

export const runsPage: PageRoute = {
  path: '/',
  async make(sources, _, query) {
    const ask = askOf(sources)
    const one = (name: string) => query.get(name) ?? ''
    const asked = { stage: one('stage'), where: one('where'), sort: one('sort'), cursor: one('cursor') }
    const found = await ask(runsContract, { query: { ...asked, limit: String(perPage) } })
    const drawn = await ask(graph, { query: { limit: String(mostDrawn) } })
    const filters = form([
      field('where', 'Condition', asked.where, 'fvu<0.07 and stage=train', true),
      select(
        'stage',
        'Stage',
        stages.map(stage => [stage, stage || 'all']),
        asked.stage,
      ),
      field('sort', 'Order', asked.sort, '-fvu'),
    ])
    const rest = new URLSearchParams(
      Object.entries({ ...asked, cursor: found.next ?? '' }).filter(([, value]) => value),
    )
    const more = found.next === null ? '' : `<p><a href="${escapeHtml(`/?${rest}`)}">Older runs</a></p>`
    return {
      title: 'Runs',
      body: `${filters}
<p class="soft" role="status" data-live="count">${found.total.toLocaleString('en-US')} ${found.total === 1 ? 'run' : 'runs'}</p>
<div data-live="runs">${found.runs.length > 0 ? runsTable(found.runs) : nothingHtml(asked)}${more}</div>
<h2>What was made from what</h2>
<div data-live="graph">${figureOf(lineage, graphData(drawn, null), {
        title: drawn.total > mostDrawn ? `The newest ${mostDrawn} of ${drawn.total} runs` : 'All runs',
        note: 'Orange: something it was made from is another by now. Red: an input changed or is gone.',
        nothing: 'There are no runs yet.',
      })}</div>
${unreadableHtml(found.unreadable)}`,
    }
  },
}

/** Says that no run is there; or none like that, where it was asked for one. */
const nothingHtml = ({ stage, where }: { readonly stage: string; readonly where: string }) =>
  stage || where
    ? '<p class="nothing">No run is like that.</p>'
    : '<p class="nothing">There are no runs in this folder yet. <code>pipeline run examples/demo.yaml</code> makes some, of a built-in model.</p>'

function runsTable(lines: readonly RunLine[]): string {
  const columns = [
    'Run',
    'Stage',
    'Status',
    'Started',
    { name: '#Took', definition: 'from started to finished', path: 'finished' },
    'About',
    'Figures',
  ]
  const origin = { run: (row: number) => lines[row]!.id, file: 'run.json' }
  return table(columns, lines.map(rowOf), origin)
}

function rowOf({ id, stage, status, started, finished, summary, site, model, architecture, latents }: RunLine) {
  const took = finished === null ? '–' : duration((Date.parse(finished) - Date.parse(started)) / 1000)
  const figures = figuresFirst(stage, summary).map(([name, value]) =>
    typeof value === 'number'
      ? `${shown(words(name))} ${valued(short(value), words(name), figureOrigin(name, `summary.${name}`))}`
      : `${shown(words(name))} ${broken(String(value))}`,
  )
  const about = [model, site, architecture, latents === null ? null : `${short(latents)} latents`]
  return [
    link(['runs', id], id),
    whole(stage),
    status === 'finished' ? whole(status) : pill(status),
    whole(`${started.slice(0, 16).replace('T', ' ')}Z`),
    escapeHtml(took),
    about.flatMap(text => (text === null ? [] : [broken(text)])).join(' · ') || '–',
    figures.join(' · ') || '–',
  ]
}

/** Text that is not broken into lines. */
const whole = (text: string) => `<span class="whole">${shown(text)}</span>`

function unreadableHtml(unreadable: readonly z.infer<typeof Unreadable>[]): string {
  if (unreadable.length === 0) return ''
  const rows = unreadable.map(({ directory, reason }) => [`<code>${broken(directory, 300)}</code>`, shown(reason, 300)])
  return `<h2>Folders that cannot be read</h2>${table(['Folder', 'Why'], rows)}`
}
