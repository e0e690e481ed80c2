/**
 * Forest plot: an estimate a row with its interval, and beneath it each kind of control in a lighter mark; a band of effects
 * too small to matter, and a tick at the smallest that could have been found.
 */
import { visible } from '../../core/visible.ts'
import { escapeHtml, shown } from '../html.ts'
import { axisHeight, xAxis } from './axes.ts'
import { at, type Chart, extent, fitted, isNumber, type Size, withEnds } from './chart.ts'
import { linearScale, type Scale } from './scale.ts'

/** A row: a value with what is known of its ends. */
export interface Estimate {
  readonly name: string
  readonly value: number | null
  readonly low: number | null
  readonly high: number | null
  /** How many documents, or controls, it is over. */
  readonly n?: string
  readonly p?: number | null
}

/** An estimate of its own, and its controls. */
export interface ForestRow extends Estimate {
  /** pass, fail, inconclusive, not-run: colour and shape of the mark. */
  readonly state: string
  /** Where the smallest effect that could have been found lies on the axis; null where none could. */
  readonly detectable?: number | null
  readonly controls?: readonly Estimate[]
}

export interface ForestData {
  readonly x: string
  readonly rows: readonly ForestRow[]
  /** Effects within ± this are too small to matter. */
  readonly smallestEffect?: number | undefined
}

const rowHeight = 36
const controlHeight = 30
const margin = 10
const usualWidth = 460
/** What a line grows by where its figures stand under its name. */
const underName = 15

const linesOf = ({ rows }: ForestData) =>
  rows.flatMap(row => [
    { row, own: row as Estimate, isControl: false },
    ...(row.controls ?? []).map(own => ({ row, own, isControl: true })),
  ])

export const forest: Chart<ForestData> = {
  name: 'forest',
  size: data => ({
    width: usualWidth,
    height: linesOf(data).reduce((sum, line) => sum + heightOf(line, usualWidth), 2 * margin) + axisHeight,
  }),
  isEmpty: ({ rows }) => rows.length === 0,
  summary({ rows, x }) {
    const first = rows[0]
    if (!first) return 'No estimate.'
    const beaten = (first.controls ?? []).map(
      control => `${control.name} ${withEnds(control.value, control.low, control.high)}`,
    )
    const more = rows.length > 1 ? `; ${rows.length - 1} more rows` : ''
    return `${x}: ${first.name} ${withEnds(first.value, first.low, first.high)}${beaten.length > 0 ? `, against ${beaten.join(', ')}` : ''}${more}.`
  },
  draw(data, size) {
    const lines = linesOf(data)
    const bottom = size.height - axisHeight
    const x = scaleOf(data, size)
    const band = data.smallestEffect
      ? `<rect class="smallest" x="${at(x.place(-data.smallestEffect))}" width="${at(x.place(data.smallestEffect) - x.place(-data.smallestEffect))}" y="${margin}" height="${at(bottom - margin)}"><title>too small to matter: within ±${data.smallestEffect}</title></rect>`
      : ''
    let y = margin
    const marks = lines.map(({ row, own, isControl }, i) => {
      const top = y
      y += heightOf({ own, isControl }, size.width)
      return `<g data-row="${i}">${lineOf({ row, own, isControl, top, x, size })}</g>`
    })
    const zero = `<line class="zero" x1="${at(x.place(0))}" x2="${at(x.place(0))}" y1="${margin}" y2="${bottom}"/>`
    return `${band}${zero}${marks.join('')}${xAxis(x, { left: margin, right: size.width - margin, top: margin, bottom }, data.x)}`
  },
  table: data => ({
    columns: ['Row', '#Value', '#Low', '#High', 'Over', '#p', '#Detectable from', 'State'],
    rows: linesOf(data).map(({ row, own, isControl }) => [
      isControl ? `control: ${own.name}` : own.name,
      own.value,
      own.low,
      own.high,
      own.n ?? '',
      own.p ?? null,
      isControl ? null : (row.detectable ?? null),
      isControl ? '' : row.state,
    ]),
  }),
}

/** Everything has a place: the values, their ends, zero, the band and the ticks. */
function scaleOf({ rows, smallestEffect = 0 }: ForestData, { width }: Size): Scale {
  const own = rows.flatMap(row => [row, ...(row.controls ?? [])])
  const values = [
    ...own.flatMap(({ value, low, high }) => [value, low, high]),
    ...rows.map(({ detectable }) => detectable),
    ...[0, -smallestEffect, smallestEffect],
  ]
  const [low, high] = extent(values)!
  return linearScale(low, high, margin + 8, width - margin - 8, 5)
}

interface Line {
  readonly row: ForestRow
  readonly own: Estimate
  readonly isControl: boolean
  readonly top: number
  readonly x: Scale
  readonly size: Size
}

const indentOf = (isControl: boolean) => (isControl ? 14 : 0)
const figuresOf = ({ value, low, high, n }: Estimate) => `${withEnds(value, low, high)}${n ? ` · ${n}` : ''}`

/** Whether name and figures have room beside each other. */
const fits = ({ own, isControl }: Pick<Line, 'own' | 'isControl'>, width: number): boolean =>
  6.8 * [...visible(own.name)].length + 6.4 * [...figuresOf(own)].length <= width - 2 * margin - indentOf(isControl)

const heightOf = (line: Pick<Line, 'own' | 'isControl'>, width: number): number =>
  (line.isControl ? controlHeight : rowHeight) + (fits(line, width) ? 0 : underName)

function lineOf({ row, own, isControl, top, x, size }: Line): string {
  const under = fits({ own, isControl }, size.width) ? 0 : underName
  const y = top + under + (isControl ? 21 : 25)
  const right = figuresOf(own)
  const indent = indentOf(isControl)
  const room = size.width - 2 * margin - indent
  const name = fitted(visible(own.name), under > 0 ? room : room - 6.4 * [...right].length)
  const full = `${own.name}: ${right}`
  const text = `<text class="${isControl ? 'soft' : 'label'}" x="${margin + indent}" y="${top + 12}">${escapeHtml(name)}<title>${shown(full, 300)}</title></text><text class="${isControl ? 'soft' : 'label'}" x="${size.width - margin}" y="${top + under + 12}" text-anchor="end">${escapeHtml(right)}</text>`
  if (!isNumber(own.value)) return text
  const kind = isControl ? 'of-control' : row.state
  const interval =
    isNumber(own.low) && isNumber(own.high)
      ? `<line class="interval ${shown(kind, 20)}" x1="${at(x.place(own.low))}" x2="${at(x.place(own.high))}" y1="${y}" y2="${y}"/>`
      : ''
  const tick =
    !isControl && isNumber(row.detectable)
      ? `<line class="detectable" x1="${at(x.place(row.detectable))}" x2="${at(x.place(row.detectable))}" y1="${y - 7}" y2="${y + 7}"><title>detectable from ${row.detectable}</title></line>`
      : ''
  return `${text}${interval}${markOf(kind, x.place(own.value), y)}${tick}`
}

/** A mark whose shape says what its colour says: disc for pass, cross for fail, diamond for the undecided, ring for controls. */
function markOf(state: string, x: number, y: number): string {
  const [px, py] = [at(x), at(y)]
  if (state === 'of-control') return `<circle class="estimate of-control" cx="${px}" cy="${py}" r="3.2"/>`
  if (state === 'pass') return `<circle class="estimate pass" cx="${px}" cy="${py}" r="4.4"/>`
  if (state === 'fail') return `<path class="estimate fail cross" d="M${px - 4} ${py - 4}l8 8m0-8l-8 8"/>`
  return `<path class="estimate ${shown(state, 20)}" d="M${px} ${py - 5}l5 5l-5 5l-5-5Z"/>`
}
