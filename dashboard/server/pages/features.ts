/** The features of a label run: filtered, sorted and paged by the address. */
import { clip } from '../../../core/visible.ts'
import { short } from '../../charts/index.ts'
import { dataOf, escapeHtml, shown } from '../../html.ts'
import { openLabelled } from '../../read/labelled.ts'
import { columnsFor, select } from '../../read/select.ts'
import { pill, table } from '../../report/page.ts'
import { link, type PageRoute } from './page.ts'

/** Features on a page, as many as the script asks for at once: a few screens, so that the first is painted soon. */
const perPage = 50

/** Columns one may sort by, and what the table calls them. */
const sortable: Readonly<Record<string, string>> = {
  latent: 'Latent',
  label: 'Label',
  label_f1: 'Label F1',
  verdict: 'Verdict',
  effect: 'Effect, nats',
  q: 'q',
  density: 'Density',
  max_activation: 'Largest',
  stability: 'Stability',
}

/** Columns that a row shows, its effect with the ends. */
const shownNames = [...Object.keys(sortable), 'effect_low', 'effect_high']

export const featuresPage: PageRoute = {
  path: '/runs/{run}/features',
  async make({ runs }, { run }, query) {
    const { table: features } = await openLabelled(runs, run!)
    const where = query.getAll('where').filter(text => text.trim() !== '')
    const asked = query.get('sort') ?? undefined
    const sort = asked === '' ? undefined : asked
    const offset = Math.max(0, Number.parseInt(query.get('offset') ?? '0', 10) || 0)
    // The first rows of the table are read alone, so that they are painted soon; chosen ones may lie anywhere.
    if (where.length > 0 || sort) await features.load([...shownNames, ...columnsFor(features, { where, sort })])
    const chosen = select(features, { where, sort })
    // What the script would ask for first, it finds here.
    const isFirst = offset === 0 && !['label', 'token', 'text', 'columns'].some(name => query.get(name))
    const search = new URLSearchParams([
      ...where.map((text): [string, string] => ['where', text]),
      ...(sort ? [['sort', sort] as [string, string]] : []),
    ])
    const total = chosen.length
    const rows = chosen.subarray(offset, offset + perPage)
    const address = (more: Readonly<Record<string, string>>) => {
      const next = new URLSearchParams(where.map((text): [string, string] => ['where', text]))
      for (const [key, value] of Object.entries({ ...(sort && { sort }), ...more })) next.set(key, value)
      return escapeHtml(`?${next}`)
    }
    const heads = Object.entries(sortable).map(
      ([name, title]) =>
        `<a href="${address({ sort: sort === name ? `-${name}` : name })}">${title}${sort === name ? ' ↑' : sort === `-${name}` ? ' ↓' : ''}</a>`,
    )
    const records = await features.records(rows, shownNames)
    // Whoever sorts or filters next finds the rest read; where that fails, it says so when it is asked for.
    features.load(features.scalars).catch(() => undefined)
    const cells = records.map(record => cellsOf(run!, record))
    const first = isFirst ? dataOf('first', { search: search.toString(), total, features: records.map(shortened) }) : ''
    const ends = [
      offset > 0 ? `<a href="${address({ offset: String(Math.max(0, offset - perPage)) })}">← before</a>` : '',
      offset + perPage < total ? `<a href="${address({ offset: String(offset + perPage) })}">after →</a>` : '',
    ]
    return {
      title: `Features of ${run}`,
      script: 'features',
      body: `<p><a href="/runs/${encodeURIComponent(run!)}">The run</a></p>
<div id="browser" data-run="${escapeHtml(run!)}" data-count="${features.rows}"><form method="get" role="search"><label>Condition <input name="where" value="${escapeHtml(where[0] ?? '')}" placeholder="verdict=pass, density&gt;=0.001, label~red" size="40"></label>${where
        .slice(1)
        .map(text => `<input type="hidden" name="where" value="${escapeHtml(text)}">`)
        .join(
          '',
        )}${sort ? `<input type="hidden" name="sort" value="${escapeHtml(sort)}">` : ''} <button>Show</button></form>
<p class="soft">Sort by: ${heads.join(' · ')}</p>
<p class="soft" role="status">${total === 0 ? 'No feature fulfils that.' : `${offset + 1} to ${offset + rows.length} of ${total.toLocaleString('en-US')} features.`}</p>
${table(
  Object.values(sortable).map(title => (['Label', 'Verdict'].includes(title) ? title : `#${title}`)),
  cells,
)}
<nav aria-label="Further features">${ends.join('')}</nav></div>${first}`,
    }
  },
}

/** Characters of a label that the script shows whole, and those that it is brought of a longer one, which end in its length. */
const [wholeLabel, cutLabel] = [200, 150]

/** A row as the page brings it: a label may be as long as its maker liked, and a page is not. */
function shortened(row: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { label } = row
  return typeof label === 'string' && label.length > wholeLabel ? { ...row, label: clip(label, cutLabel) } : row
}

function cellsOf(run: string, row: Readonly<Record<string, unknown>>): string[] {
  const number = (name: string) => short(row[name] as number | null)
  const effect = row.effect_low === null ? '' : `<small>${number('effect_low')} to ${number('effect_high')}</small>`
  return [
    link(['runs', run, 'features', String(row.latent)], String(row.latent)),
    row.label === null ? '<span class="soft">no label</span>' : shown(String(row.label), 160),
    number('label_f1'),
    pill(String(row.verdict)),
    row.effect === null ? '–' : `${number('effect')}${effect}`,
    number('q'),
    number('density'),
    number('max_activation'),
    number('stability'),
  ]
}
