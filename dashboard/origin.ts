/** Where numbers are from, as attributes of what shows them: the script of a page reads them when a number is pressed. */
import { escapeHtml, shown } from './html.ts'

/** The same for every row, or what a row has for its own. */
type OfRow = string | ((row: number) => string | undefined)

/** Where the values of a table or of a chart are from. */
export interface Origin {
  readonly run: OfRow
  readonly file: OfRow
  /** The split of the text that they were measured on. */
  readonly split?: string
  /** What finds a row in the file: keys of a JSON file as jq has them, or a condition on the columns of a table. */
  readonly where?: (row: number) => string | undefined
  /** How many documents, tokens or draws a row's values are over. */
  readonly n?: OfRow
}

/** What the values of a column are, and the keys at which they stand in a row's record. */
export interface ColumnOrigin {
  readonly definition?: string | undefined
  readonly path?: OfRow | undefined
}

/** The origin of a chart's table: its columns by their names, without `#`. */
export interface FigureOrigin extends Origin {
  readonly columns?: Readonly<Record<string, ColumnOrigin>>
}

/** Characters of an attribute at most. */
const longest = 400

const attribute = (name: string, value: OfRow | undefined, row?: number): string => {
  const text = typeof value === 'function' ? (row === undefined ? undefined : value(row)) : value
  return text ? ` data-${name}="${shown(text, longest)}"` : ''
}
/** Only what is a row's own. */
const own = (name: string, value: OfRow | undefined, row: number): string =>
  typeof value === 'function' ? attribute(name, value, row) : ''

/** What all rows have in common, as attributes of the element around them. */
export const originOf = ({ run, file, split, n }: Omit<Origin, 'where'>): string =>
  attribute('run', run) + attribute('file', file) + attribute('split', split) + attribute('n', n)

/** What one row has for its own. */
export const originOfRow = ({ run, file, where, n }: Origin, row: number): string =>
  own('run', run, row) + own('file', file, row) + own('where', where, row) + own('n', n, row)

/** What a column's head says of its values. */
export const originOfColumn = ({ definition, path }: ColumnOrigin): string =>
  `${attribute('definition', definition)}${definition ? ` title="${escapeHtml(definition)}"` : ''}${attribute('path', path)}`

/** What a cell says where its place differs from row to row. */
export const originOfCell = ({ path }: ColumnOrigin, row: number): string => own('path', path, row)

/** A number within a sentence, with what it is and where it stands. `text` is HTML already. */
export const valued = (text: string, name: string, { definition, path }: ColumnOrigin): string =>
  `<span class="value" data-name="${escapeHtml(name)}"${attribute('definition', definition)}${attribute('path', path)}>${text}</span>`
