/** Rows of a selection by their places: those in sight are fetched a page at a time, and pages of an older question are dropped. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'

type Row = Readonly<Record<string, unknown>>

/** Rows of a page; the server writes the first one into the document. */
const pageRows = 50

interface Answer {
  readonly features: Row[]
  readonly total: number
}

/** The first page of the question that the document was asked with; taken once. */
function firstOf(search: string): Answer | undefined {
  const block = document.getElementById('first')
  if (!block) return undefined
  block.remove()
  const found = JSON.parse(block.textContent) as Answer & { readonly search: string }
  return found.search === search ? found : undefined
}

/** What is known of the selection. */
export interface KnownRows {
  /** Undefined before the first answer. */
  readonly total: number | undefined
  readonly problem: string | undefined
  at(place: number): Row | undefined
  /** Fetches what is not there of rows `first` to `last`. */
  want(first: number, last: number): void
}

/** The rows that `search` asks for, with these columns; `count` are there in all. */
export function useRows(run: string, search: string, columns: string, count: number): KnownRows {
  const [, redraw] = useState(0)
  const [first] = useState(() => firstOf(search))
  const [total, setTotal] = useState<number | undefined>(first?.total)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const pages = useRef(new Map<number, Row[] | 'coming'>(first ? [[0, first.features]] : []))
  // What the document brought is of the first question.
  const isBrought = useRef(first !== undefined)
  const asked = useRef<AbortController>(undefined)
  const fetchPage = useCallback(
    async (page: number, signal: AbortSignal) => {
      if (pages.current.has(page)) return
      pages.current.set(page, 'coming')
      const query = new URLSearchParams(search)
      query.set('offset', String(page * pageRows))
      query.set('limit', String(pageRows))
      for (const name of columns.split(',')) query.append('column', name)
      try {
        const answer = await fetch(`/api/runs/${encodeURIComponent(run)}/features?${query}`, { signal })
        const found = (await answer.json()) as Answer | { error: string; fix?: string }
        if ('error' in found) return setProblem(`${found.error} ${found.fix ?? ''}`)
        pages.current.set(page, found.features)
        setProblem(undefined)
        setTotal(found.total)
        redraw(n => n + 1)
      } catch (error) {
        if (signal.aborted) return
        pages.current.delete(page)
        setProblem(`The server does not answer: ${error instanceof Error ? error.message : error}.`)
      }
    },
    [run, search, columns],
  )
  useEffect(() => {
    const abort = new AbortController()
    asked.current = abort
    if (!isBrought.current) pages.current = new Map()
    isBrought.current = false
    fetchPage(0, abort.signal)
    return () => abort.abort()
  }, [fetchPage])
  const want = useCallback(
    (first: number, last: number) => {
      const { current } = asked
      if (!current || last <= first) return
      for (let page = Math.floor(first / pageRows); page <= Math.floor((last - 1) / pageRows); page++)
        fetchPage(page, current.signal)
    },
    [fetchPage],
  )
  const at = (place: number) => {
    const page = pages.current.get(Math.floor(place / pageRows))
    return page === 'coming' ? undefined : page?.[place % pageRows]
  }
  return { total: total ?? (search === '' ? count : undefined), problem, at, want }
}
