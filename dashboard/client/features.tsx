/** The feature browser: as many rows as there are latents, of which only those in sight exist; every state of it is its address. */
import { render } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { clip, visible } from '../../core/visible.ts'
import { type Columns, columnsOf } from '../charts/columns.ts'
import { short } from '../charts/scale.ts'
import { Panel } from './features-panel.tsx'
import { isRange, type State, searchOf, selectionOf, stateOf } from './features-state.ts'
import { useRows } from './rows.ts'

/** Pixels of a row, and rows made beyond those in sight. */
const rowHeight = 36
const beyond = 12

/** Conditions that a press adds or takes away. */
const chips: readonly (readonly [string, string])[] = [
  ['verdict=pass', 'passed'],
  ['verdict=fail', 'failed'],
  ['verdict=inconclusive', 'undecided'],
  ['label!=null', 'labelled'],
  ['density>=0.1', 'dense'],
  ['density=0', 'dead'],
]

/** The columns that are shown: the usual ones, or those named, of which others than the usual are known by name alone. */
function shownColumns(names: readonly string[]): readonly Columns[] {
  if (names.length === 0) return columnsOf
  return names.map(
    name =>
      columnsOf.find(one => one.name === name) ?? {
        ...{ name, title: name, definition: `The column ${name} of features.parquet`, isNumber: false, least: false },
        className: '',
      },
  )
}

/** Columns that the rows are asked for with: those shown, the number that leads to the feature, and the ends of an effect. */
const askedOf = (columns: readonly Columns[]): string =>
  [
    ...new Set(
      columns
        .flatMap(({ name }) => (name === 'effect' ? [name, 'effect_low', 'effect_high'] : [name]))
        .concat('latent'),
    ),
  ].join(',')

/** Does it once what is there is painted; a page that nobody sees does it at once. */
function oncePainted(work: () => void): void {
  if (document.visibilityState === 'hidden') work()
  else requestAnimationFrame(() => setTimeout(work))
}

function Browser({ run, count }: { run: string; count: number }) {
  const [state, setState] = useState(() => stateOf(location.search))
  const search = selectionOf(state).toString()
  const columns = shownColumns(state.columns)
  const rows = useRows(run, search, askedOf(columns), count)
  const change = (more: Partial<State>) => {
    const next = { ...state, ...more }
    history.pushState(null, '', `?${searchOf(next)}`)
    setState(next)
  }
  useEffect(() => {
    const back = () => setState(stateOf(location.search))
    addEventListener('popstate', back)
    return () => removeEventListener('popstate', back)
  }, [])
  return (
    <>
      <Filters state={state} change={change} />
      <Panel run={run} state={state} shown={columns} change={change} />
      <p class="soft" role="status">
        {rows.problem ??
          (rows.total === undefined
            ? 'Looking …'
            : `${rows.total.toLocaleString('en-US')} of ${count.toLocaleString('en-US')} features`)}
      </p>
      {rows.problem === undefined && (
        <Rows run={run} rows={rows} columns={columns} sort={state.sort} sortBy={sort => change({ sort })} />
      )}
    </>
  )
}

function Filters({ state, change }: { state: State; change: (more: Partial<State>) => void }) {
  const toggle = (condition: string) =>
    change({
      where: state.where.includes(condition)
        ? state.where.filter(one => one !== condition)
        : [...state.where, condition],
    })
  const ranges = state.where.filter(isRange)
  const own = state.where.filter(condition => !isRange(condition) && !chips.some(([known]) => known === condition))
  return (
    <search>
      <form
        class="filters"
        onSubmit={event => {
          event.preventDefault()
          const field = new FormData(event.currentTarget)
          const text = (name: string) => String(field.get(name) ?? '').trim()
          const condition = text('condition')
          change({
            ...{ label: text('label'), token: text('token'), text: text('text') },
            where: [...state.where.filter(one => !own.includes(one)), ...(condition ? [condition] : [])],
          })
        }}
      >
        <div class="fields">
          <label>
            Label <input name="label" type="search" data-search="" value={state.label} />
          </label>
          <label>
            Token <input name="token" type="search" value={state.token} />
          </label>
          <label>
            Example text <input name="text" type="search" value={state.text} />
          </label>
          <label class="wide">
            Condition{' '}
            <input
              name="condition"
              placeholder="density>=0.001, effect<-0.1"
              value={own.join(' and ')}
              key={own.join()}
            />
          </label>
          <button type="submit">Show</button>
        </div>
        <fieldset class="chips">
          <legend class="unseen">Quick conditions</legend>
          {chips.map(([condition, name]) => (
            <button
              type="button"
              key={condition}
              aria-pressed={state.where.includes(condition)}
              title={condition}
              onClick={() => toggle(condition)}
            >
              {name}
            </button>
          ))}
          {ranges.map(condition => (
            <button type="button" key={condition} aria-pressed={true} onClick={() => toggle(condition)}>
              {condition.replace(/-?[\d.]+(e[+-]?\d+)?$|-?[\d.]+(e[+-]?\d+)?(?= and)/gi, text => short(Number(text)))}
            </button>
          ))}
        </fieldset>
      </form>
    </search>
  )
}

interface RowsProps {
  readonly run: string
  readonly rows: ReturnType<typeof useRows>
  readonly columns: readonly Columns[]
  readonly sort: string
  readonly sortBy: (sort: string) => void
}

function Rows({ run, rows, columns, sort, sortBy }: RowsProps) {
  const box = useRef<HTMLDivElement>(null)
  const [view, setView] = useState({ top: 0, height: 600 })
  const total = rows.total ?? 0
  useEffect(() => {
    const { current } = box
    if (!current) return
    const look = () => setView({ top: current.scrollTop, height: current.clientHeight })
    const size = new ResizeObserver(look)
    size.observe(current)
    current.addEventListener('scroll', look, { passive: true })
    return () => {
      size.disconnect()
      current.removeEventListener('scroll', look)
    }
  }, [])
  const first = Math.max(0, Math.floor(view.top / rowHeight) - beyond)
  const last = Math.min(total, Math.ceil((view.top + view.height) / rowHeight) + beyond)
  useEffect(() => rows.want(first, last), [first, last, rows.want])
  const keys = (event: KeyboardEvent) => {
    const jump = { Home: 0, End: total * rowHeight }[event.key]
    if (jump === undefined || !box.current || event.target !== box.current) return
    event.preventDefault()
    box.current.scrollTop = jump
  }
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys.
    <section ref={box} class="browser" tabIndex={0} aria-label="Features" data-rows="" onKeyDown={keys}>
      <table aria-rowcount={total + 1}>
        <thead>
          <tr>
            {columns.map(column => (
              <Head key={column.name} column={column} sort={sort} sortBy={sortBy} />
            ))}
          </tr>
        </thead>
        <tbody>
          <Space rows={first} />
          {Array.from({ length: Math.max(0, last - first) }, (_, i) => first + i).map(place => (
            <Row key={place} run={run} place={place} row={rows.at(place)} columns={columns} />
          ))}
          <Space rows={total - last} />
        </tbody>
      </table>
    </section>
  )
}

/** Room for rows that are out of sight. */
const Space = ({ rows }: { rows: number }) =>
  rows > 0 ? (
    <tr class="space">
      <td style={{ height: `${rows * rowHeight}px` }} />
    </tr>
  ) : null

function Head({ column, sort, sortBy }: { column: Columns; sort: string; sortBy: (sort: string) => void }) {
  const { name, title, least } = column
  const [up, down] = [sort === name, sort === `-${name}`]
  const next = least ? (up ? `-${name}` : name) : down ? name : `-${name}`
  return (
    <th
      scope="col"
      class={`${column.className} ${column.isNumber ? 'number' : ''}`}
      aria-sort={up ? 'ascending' : down ? 'descending' : 'none'}
    >
      <button type="button" onClick={() => sortBy(next)} title={column.definition}>
        {title}
        <span aria-hidden="true">{up ? ' ↑' : down ? ' ↓' : ''}</span>
      </button>
    </th>
  )
}

interface RowProps {
  readonly run: string
  readonly place: number
  readonly row: Readonly<Record<string, unknown>> | undefined
  readonly columns: readonly Columns[]
}

function Row({ run, place, row, columns }: RowProps) {
  const address = `/runs/${encodeURIComponent(run)}/features/${row?.latent}`
  return (
    <tr aria-rowindex={place + 2} class={row ? '' : 'coming'}>
      {columns.map(({ name, className, isNumber, cell }) => (
        <td key={name} class={`${className} ${isNumber ? 'number' : ''}`}>
          {row &&
            (name === 'latent' ? (
              <a href={address}>{String(row.latent)}</a>
            ) : (
              <Cell value={cell ? cell(row) : row[name]} isVerdict={name === 'verdict'} />
            ))}
        </td>
      ))}
    </tr>
  )
}

function Cell({ value, isVerdict }: { value: unknown; isVerdict: boolean }) {
  if (value === null || value === undefined) return <span class="soft">–</span>
  if (isVerdict) return <span class={`pill ${String(value)}`}>{String(value)}</span>
  if (typeof value === 'number') return <>{short(value)}</>
  const text = visible(clip(String(value), 200))
  return <span title={text}>{text}</span>
}

const place = document.getElementById('browser')
if (place) {
  const { run = '', count = '0' } = place.dataset
  oncePainted(() => {
    place.replaceChildren()
    render(<Browser run={run} count={Number(count)} />, place)
    performance.mark('interactive')
  })
}
