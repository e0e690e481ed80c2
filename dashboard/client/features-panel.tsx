/** Columns of the browser of features: which are shown, how each is distributed over the features that are meant, and the file of these. */
import { useEffect, useState } from 'preact/hooks'
import { createClient } from '../api/client.ts'
import type { Api } from '../api/types.ts'
import type { Columns } from '../charts/columns.ts'
import { RangeHistogram } from './features-range.tsx'
import { rangeOf, type State, selectionOf, withRange } from './features-state.ts'

type Column = Api['columns']['answer']['columns'][number]

const ask = createClient()
/** Histograms that are drawn at once. */
const mostDrawn = 12
/** Columns whose values are spread over powers of ten. */
const logarithmic = new Set(['density', 'max_activation', 'mean_activation', 'label_base_rate'])

interface PanelProps {
  readonly run: string
  readonly state: State
  readonly shown: readonly Columns[]
  readonly change: (more: Partial<State>) => void
}

export function Panel({ run, state, shown, change }: PanelProps) {
  const [all, setAll] = useState<readonly Column[] | undefined>()
  const [problem, setProblem] = useState<string | undefined>()
  useEffect(() => {
    if (!state.panel || all) return
    ask('columns', { parts: { run } }).then(
      found => setAll(found.columns.filter(({ type }) => type !== 'list')),
      (error: Error) => setProblem(error.message),
    )
  }, [state.panel])
  const names = shown.map(({ name }) => name)
  const toggle = (name: string) => {
    const next = names.includes(name) ? names.filter(one => one !== name) : [...names, name]
    // The number of the feature leads to its page, and stays.
    change({ columns: next.includes('latent') ? next : ['latent', ...next] })
  }
  const exportOf = (format: string) => {
    const query = selectionOf(state)
    for (const name of names) query.append('column', name)
    query.set('format', format)
    return `/api/runs/${encodeURIComponent(run)}/export?${query}`
  }
  const numbers = (all ?? []).filter(({ type, name }) => type === 'number' && name !== 'latent' && names.includes(name))
  return (
    <details class="panel" open={state.panel} onToggle={event => change({ panel: event.currentTarget.open })}>
      <summary>Columns, ranges, files</summary>
      {problem !== undefined && <p class="warning">{problem}</p>}
      {state.panel && all && (
        <>
          <fieldset class="chips">
            <legend>Columns</legend>
            {all.map(({ name }) => (
              <button type="button" key={name} aria-pressed={names.includes(name)} onClick={() => toggle(name)}>
                {name}
              </button>
            ))}
            {state.columns.length > 0 && (
              <button type="button" class="plain" onClick={() => change({ columns: [] })}>
                as usual
              </button>
            )}
          </fieldset>
          <p>
            The features that are meant, with these columns, as a file:{' '}
            {['csv', 'jsonl', 'arrow'].map(format => (
              <a key={format} href={exportOf(format)} download={`features.${format}`} class="file">
                {format}
              </a>
            ))}
          </p>
          <p class="soft">Drag over a histogram, or type its ends, to keep a range.</p>
          <div class="ranges">
            {numbers.slice(0, mostDrawn).map(({ name }) => (
              <Distribution key={name} run={run} name={name} state={state} change={change} />
            ))}
          </div>
          {numbers.length > mostDrawn && <p class="soft">{numbers.length - mostDrawn} more columns are not drawn.</p>}
        </>
      )}
    </details>
  )
}

interface DistributionProps {
  readonly run: string
  readonly name: string
  readonly state: State
  readonly change: (more: Partial<State>) => void
}

/** One column over the features that all other conditions mean, with its own range. */
function Distribution({ run, name, state, change }: DistributionProps) {
  const [found, setFound] = useState<Api['histogram']['answer'] | string | undefined>()
  const others = selectionOf({ ...state, where: withRange(state.where, name, undefined), sort: '' }).toString()
  const scale = logarithmic.has(name) ? 'log' : 'linear'
  useEffect(() => {
    const abort = new AbortController()
    const asked = new URLSearchParams(others)
    const query = {
      ...{ where: asked.getAll('where'), column: name, bins: 24, scale: scale as 'log' | 'linear' },
      ...Object.fromEntries(
        ['label', 'token', 'text'].flatMap(key => (asked.has(key) ? [[key, asked.get(key)!]] : [])),
      ),
    }
    ask('histogram', { parts: { run }, query, signal: abort.signal }).then(setFound, (error: Error) => {
      if (!abort.signal.aborted) setFound(error.message)
    })
    return () => abort.abort()
  }, [run, name, others])
  if (found === undefined) return <p class="soft">{name} …</p>
  if (typeof found === 'string') return <p class="warning">{found}</p>
  const range = state.where.map(condition => rangeOf(condition, name)).find(one => one !== undefined)
  return (
    <RangeHistogram
      name={name}
      found={found}
      isLog={scale === 'log'}
      range={range}
      setRange={next => change({ where: withRange(state.where, name, next) })}
    />
  )
}
