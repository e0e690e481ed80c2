/** What the browser of features shows, as its address says it; and conditions of a range, as a brush sets them. */

export interface State {
  readonly where: readonly string[]
  readonly sort: string
  readonly label: string
  readonly token: string
  readonly text: string
  /** Columns in their order; none for the usual ones. */
  readonly columns: readonly string[]
  /** Whether the panel of columns and histograms is open. */
  readonly panel: boolean
}

export function stateOf(search: string): State {
  const query = new URLSearchParams(search)
  const one = (name: string) => query.get(name) ?? ''
  return {
    where: query.getAll('where').filter(text => text.trim() !== ''),
    ...{ sort: one('sort'), label: one('label'), token: one('token'), text: one('text') },
    columns: one('columns').split(',').filter(Boolean),
    panel: query.has('panel'),
  }
}

/** The query that chooses features: what the API is asked with. */
export function selectionOf({ where, sort, label, token, text }: State): URLSearchParams {
  const query = new URLSearchParams(where.map((text): [string, string] => ['where', text]))
  for (const [name, value] of Object.entries({ sort, label, token, text })) if (value) query.set(name, value)
  return query
}

/** The whole address. */
export function searchOf(state: State): string {
  const query = selectionOf(state)
  if (state.columns.length > 0) query.set('columns', state.columns.join(','))
  if (state.panel) query.set('panel', '1')
  return query.toString()
}

export interface Range {
  readonly from: number
  readonly to: number
}

const rangeText = /^(\w+)>=(-?[\d.eE+-]+) and (\w+)<=(-?[\d.eE+-]+)$/

/** The range that a condition is of a column; undefined where it is another condition. */
export function rangeOf(condition: string, column: string): Range | undefined {
  const [, first, from, second, to] = rangeText.exec(condition) ?? []
  if (first !== column || second !== column) return undefined
  const range = { from: Number(from), to: Number(to) }
  return Number.isFinite(range.from) && Number.isFinite(range.to) ? range : undefined
}

/** Whether a condition is a range of some column. */
export const isRange = (condition: string): boolean => {
  const [, first, , second] = rangeText.exec(condition) ?? []
  return first !== undefined && first === second
}

/** Conditions with the column's range set to this one, or without one. */
export function withRange(where: readonly string[], column: string, range: Range | undefined): string[] {
  const others = where.filter(condition => rangeOf(condition, column) === undefined)
  return range ? [...others, `${column}>=${range.from} and ${column}<=${range.to}`] : others
}
