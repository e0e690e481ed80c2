/** Training: the curves of chosen runs side by side, live, and the frontier of sparsity and fidelity of all. */
import { meanInterval } from '../../../statistics/intervals/mean.ts'
import { curves } from '../../api/contracts/metrics.ts'
import { type RunLine, runs as runsContract } from '../../api/contracts/runs.ts'
import { figureOf, groupsOf, keyOf, lines, type Series, scatter, short } from '../../charts/index.ts'
import { escapeHtml, shown } from '../../html.ts'
import { figureOrigin } from '../../report/definitions.ts'
import { pill, table } from '../../report/page.ts'
import { type Ask, askOf, orWhyNot } from './ask.ts'
import { link, type PageRoute } from './page.ts'

/** Curves, in the order in which they are drawn, with what they are. */
const shownCurves: Readonly<Record<string, string>> = {
  fvu: 'Fraction of variance unexplained, of the batch',
  loss: 'Loss, of the batch',
  l0: 'Active latents a token (L0)',
  dead: 'Latents that did not fire for long',
  ceRecovered: 'Loss recovered against mean ablation',
  ceRecoveredZero: 'Loss recovered against zero ablation',
  learningRate: 'Learning rate',
  gradientNorm: 'Norm of the gradient',
}

const columnNames = { latents: '#Latents', l0: '#L0', fvu: '#FVU' } as const

/** Runs that are drawn together at most. */
const mostRuns = 8

export const trainPage: PageRoute = {
  path: '/train',
  async make(sources, _, query) {
    const ask = askOf(sources)
    const { runs } = await ask(runsContract, { query: { stage: 'train', limit: '1000' } })
    const asked = query.getAll('run').filter(id => runs.some(one => one.id === id))
    const chosen = (asked.length > 0 ? asked : runs.slice(0, 1).map(({ id }) => id)).slice(0, mostRuns)
    const x = query.get('x') === 'step' ? 'step' : 'tokens'
    const areTogether = query.get('seeds') !== 'apart'
    const flipped = new URLSearchParams(query)
    if (areTogether) flipped.set('seeds', 'apart')
    else flipped.delete('seeds')
    return {
      title: 'Training',
      script: 'train',
      sheet: 'uplot',
      body: `${runs.length === 0 ? '<p class="nothing">There are no train runs here yet. <code>pipeline train</code> makes some.</p>' : ''}
<h2>Frontier</h2>
<div data-live="frontier">${frontierHtml(runs, { chosen, areTogether, other: `?${flipped}` })}</div>
<h2>Runs</h2>
<form method="get" id="choice">${areTogether ? '' : '<input type="hidden" name="seeds" value="apart">'}${runsHtml(runs, chosen)}<p><button>Show the curves of those chosen</button> <label>along <select name="x"><option value="tokens"${x === 'tokens' ? ' selected' : ''}>tokens</option><option value="step"${x === 'step' ? ' selected' : ''}>steps</option></select></label></p></form>
<h2>Curves</h2>
<div id="curves" class="charts" data-runs="${escapeHtml(JSON.stringify(chosen))}" data-x="${x}" data-titles="${escapeHtml(JSON.stringify(shownCurves))}">${await orWhyNot(curvesHtml(ask, chosen, x))}</div>`,
    }
  },
}

const figure = ({ summary }: RunLine, name: string) =>
  typeof summary[name] === 'number' ? (summary[name] as number) : null

/** Runs that differ by their seeds alone, together; or each by itself. */
function groupsOfRuns(runs: readonly RunLine[], areTogether: boolean): readonly (readonly RunLine[])[] {
  if (!areTogether) return runs.map(run => [run])
  const groups = new Map<string, RunLine[]>()
  for (const run of runs) groups.set(run.settings, [...(groups.get(run.settings) ?? []), run])
  return [...groups.values()]
}

interface FrontierAsked {
  readonly chosen: readonly string[]
  readonly areTogether: boolean
  /** The address of this page with another answer to that. */
  readonly other: string
}

/** Sparsity and fidelity of runs: those of several seeds as their mean, with Student's interval over the seeds. */
function frontierHtml(runs: readonly RunLine[], { chosen, areTogether, other }: FrontierAsked): string {
  const groups = groupsOfRuns(runs, areTogether)
  const overSeeds = (group: readonly RunLine[], name: string) => {
    const known = group.map(run => figure(run, name)).filter(value => value !== null)
    if (known.length === 0) return { value: null, ends: undefined }
    if (known.length === 1) return { value: known[0]!, ends: undefined }
    const { estimate, low, high } = meanInterval(known)
    return { value: estimate, ends: { low, high } }
  }
  const points = groups.map(group => {
    const [l0, fvu] = [overSeeds(group, 'l0'), overSeeds(group, 'fvu')]
    const [first] = group
    return {
      name: group.length === 1 ? first!.id : `${first!.id} and ${group.length - 1} of other seeds`,
      ...{ x: l0.value, xEnds: l0.ends, y: fvu.value, yEnds: fvu.ends },
      group: first!.architecture ?? 'unknown',
      isChosen: group.some(({ id }) => chosen.includes(id)),
    }
  })
  const key = groupsOf(points).map((name, i) => ({ name, mark: `tone-${i % 4}` }))
  const hasSeeds = groupsOfRuns(runs, true).some(group => group.length > 1)
  const drawn = figureOf(
    scatter,
    { x: 'L0, latents a token', y: 'FVU, on training rows', points, logX: true, frontier: true },
    {
      title: 'Sparsity and fidelity',
      key,
      note: `Line: runs that no other one beats in both. Ringed: those whose curves are below. Drag a box over marks to choose runs, or tick them in the list.${hasSeeds && areTogether ? ' Bars: Student’s 95 % interval over seeds.' : ''}`,
      nothing: 'Missing: no train run has ended yet.',
      origin: {
        ...{ run: row => groups[row]![0]!.id, file: 'run.json', split: 'training', where: () => 'summary' },
        n: row =>
          groups[row]!.length > 1
            ? `${groups[row]!.length} seeds: ${groups[row]!.map(({ id }) => id).join(', ')}`
            : undefined,
        columns: {
          'L0, latents a token': figureOrigin('l0'),
          'FVU, on training rows': figureOrigin('fvu'),
        },
      },
    },
  )
  const seeds = hasSeeds
    ? `<p class="soft">Runs that differ by the seed alone stand ${areTogether ? 'together' : 'apart'}: <a href="${escapeHtml(other)}">${areTogether ? 'each by itself' : 'together'}</a>.</p>`
    : ''
  return `<div class="frontier charts" data-groups="${escapeHtml(JSON.stringify(groups.map(group => group.map(({ id }) => id))))}">${drawn}</div>${seeds}`
}

function runsHtml(runs: readonly RunLine[], chosen: readonly string[]): string {
  const rows = runs.map(run => [
    `<label><input type="checkbox" name="run" value="${escapeHtml(run.id)}"${chosen.includes(run.id) ? ' checked' : ''}> ${shown(run.id)}</label>`,
    run.status === 'finished' ? 'finished' : pill(run.status),
    shown(run.architecture ?? 'unknown'),
    shown(run.site ?? 'unknown'),
    short(run.latents),
    short(figure(run, 'l0')),
    short(figure(run, 'fvu')),
    link(['runs', run.id], 'page'),
  ])
  return rows.length === 0
    ? ''
    : table(
        [
          ...['Run', 'Status', 'Architecture', 'Site'],
          ...(['latents', 'l0', 'fvu'] as const).map(name => ({ name: columnNames[name], ...figureOrigin(name) })),
          'Its page',
        ],
        rows,
        { run: row => runs[row]!.id, file: 'run.json', split: 'training', where: () => 'summary' },
      )
}

/** The curves without scripts; with them they become live ones. */
async function curvesHtml(ask: Ask, chosen: readonly string[], x: string): Promise<string> {
  const found = await Promise.all(
    chosen.map(async run => ({ run, ...(await ask(curves, { parts: { run }, query: { x, buckets: '200' } })) })),
  )
  return Object.entries(shownCurves)
    .map(([key, title]) => {
      const series = found.flatMap(({ run, curves }): Series[] => {
        const curve = curves.find(one => one.key === key)
        return curve
          ? [{ name: run, points: curve.x.map((at, i) => [at, curve.last[i]!]), low: curve.min, high: curve.max }]
          : []
      })
      if (series.length === 0) return ''
      return figureOf(lines, { x, y: key, series, log: ['fvu', 'loss'].includes(key) }, { title, key: keyOf(series) })
    })
    .join('')
}
