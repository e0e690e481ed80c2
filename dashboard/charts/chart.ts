/** What a chart is: data to SVG text, to a sentence and to a table. Colours come from the page's style sheet, by classes. */
import { shown } from '../html.ts'
import { short } from './scale.ts'

/** Pixels of the drawing's own coordinates; a page scales them. */
export interface Size {
  readonly width: number
  readonly height: number
}

/** A value of a chart's table: exact, or null where it is missing. */
export type Cell = string | number | null

/** The same data as a table, for reading and copying. Columns whose name starts with `#` are numbers. */
export interface Twin {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
}

/** A kind of chart. It is pure: equal data and size, equal text. */
export interface Chart<Data> {
  readonly name: string
  /** Size where none is asked for; some charts grow with their data. */
  size(data: Data): Size
  /** Whether there is anything to draw. */
  isEmpty(data: Data): boolean
  /** What it shows, in one sentence. */
  summary(data: Data): string
  /** The marks inside the SVG element, within the size. */
  draw(data: Data, size: Size): string
  table(data: Data): Twin
  /** Whether marks are links, which an image may not hold. */
  readonly isInteractive?: boolean
}

/** The chart as an SVG element by itself. */
export function svgOf<Data>(chart: Chart<Data>, data: Data, size: Size = chart.size(data)): string {
  const role = chart.isInteractive ? 'group' : 'img'
  // What is wider than a page is scrolled, at its own size; all else is fitted to the page.
  const own = chart.isInteractive ? ` width="${at(size.width)}" height="${at(size.height)}"` : ''
  return `<svg class="${chart.name}"${own} viewBox="0 0 ${at(size.width)} ${at(size.height)}" role="${role}" aria-label="${shown(chart.summary(data), 400)}">${chart.draw(data, size)}</svg>`
}

/** A coordinate in as few characters as show. */
export const at = (value: number): number => Number(value.toFixed(1))

export const isNumber = (value: number | null | undefined): value is number =>
  typeof value === 'number' && Number.isFinite(value)

/** The least and the largest of the values that are numbers; undefined where none is. */
export function extent(values: Iterable<number | null | undefined>): [number, number] | undefined {
  let found: [number, number] | undefined
  for (const value of values)
    if (isNumber(value)) found = found ? [Math.min(found[0], value), Math.max(found[1], value)] : [value, value]
  return found
}

/** `0.42 (0.31 to 0.53)`, `0.42` where there is no interval, `missing` where there is no value. */
export function withEnds(value: number | null, low: number | null, high: number | null): string {
  if (!isNumber(value)) return 'missing'
  return isNumber(low) && isNumber(high) ? `${short(value)} (${short(low)} to ${short(high)})` : short(value)
}

/** As much of a text as has room, in letters of about 6.8 pixels; the end says that there is more. */
export function fitted(text: string, pixels: number): string {
  const letters = [...text]
  const room = Math.max(2, Math.floor(pixels / 6.8))
  return letters.length > room ? `${letters.slice(0, room - 1).join('')}…` : text
}
