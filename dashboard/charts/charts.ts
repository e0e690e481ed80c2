/** Charts as SVG text: lines, bars, and estimates with intervals. Colours come from the page's style sheet. */
import { visible } from '../../core/visible.ts'
import { escapeHtml, shown } from '../html.ts'
import { linearScale, logScale, type Scale, short } from './scale.ts'

const chartWidth = 640
const leftMargin = 58
const rightMargin = 14
const topMargin = 12
const bottomMargin = 40

/** A line of a chart; `tone` picks its colour (0 is the accent). */
export interface Series {
  readonly name: string
  readonly points: readonly (readonly [number, number])[]
  readonly tone?: number
  readonly low?: readonly number[]
  readonly high?: readonly number[]
}

export interface ChartText {
  readonly title: string
  readonly x: string
  readonly y: string
}

/** Lines over a common x; `log` makes y logarithmic where every value is positive. Bands are drawn from low to high. */
export function lineChart(
  text: ChartText,
  series: readonly Series[],
  options: { log?: boolean; height?: number } = {},
): string {
  const height = options.height ?? 240
  const shown = series.map(one => ({
    ...one,
    points: one.points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y)),
  }))
  const xs = shown.flatMap(({ points }) => points.map(([x]) => x))
  const ys = shown
    .flatMap(({ points, low, high }) => [...points.map(([, y]) => y), ...(low ?? []), ...(high ?? [])])
    .filter(Number.isFinite)
  if (xs.length === 0) return empty(text)
  const x = linearScale(min(xs), max(xs), leftMargin, chartWidth - rightMargin, 6)
  const isLog = options.log === true && ys.every(y => y > 0)
  const y = (isLog ? logScale : linearScale)(min(ys), max(ys), height - bottomMargin, topMargin)
  const lines = shown.map((one, index) => {
    const tone = one.tone ?? index
    const path = one.points.map(([px, py], i) => `${i === 0 ? 'M' : 'L'}${at(x.place(px))} ${at(y.place(py))}`).join('')
    const dots =
      one.points.length <= 24
        ? one.points
            .map(
              ([px, py]) =>
                `<circle class="tone-${tone} dot" cx="${at(x.place(px))}" cy="${at(y.place(py))}" r="2.6"><title>${short(px)}: ${short(py)}</title></circle>`,
            )
            .join('')
        : ''
    return `${band(one, x, y, tone)}<path class="line tone-${tone}" d="${path}"/>${dots}`
  })
  return frame({ text, height, x, y, marks: lines.join(''), legend: shown.length > 1 ? shown : [] })
}

function band({ points, low, high }: Series, x: Scale, y: Scale, tone: number): string {
  if (!low || !high) return ''
  const upper = points.map(([px], i) => `${at(x.place(px))} ${at(y.place(high[i]!))}`)
  const lower = points.map(([px], i) => `${at(x.place(px))} ${at(y.place(low[i]!))}`).reverse()
  return `<path class="band tone-${tone}" d="M${[...upper, ...lower].join('L')}Z"/>`
}

/** Bars over equal bins whose edges are given (one more than counts). */
export function histogram(
  text: ChartText,
  edges: readonly number[],
  counts: readonly number[],
  options: { height?: number; tick?: (edge: number) => string } = {},
): string {
  const height = options.height ?? 200
  if (counts.length === 0 || max(counts) === 0) return empty(text)
  const x = linearScale(edges[0]!, edges[edges.length - 1]!, leftMargin, chartWidth - rightMargin, 6)
  const y = linearScale(0, max(counts), height - bottomMargin, topMargin, 4)
  const bars = counts.map((count, i) => {
    const left = x.place(edges[i]!)
    const width = Math.max(1, x.place(edges[i + 1]!) - left - 1)
    return `<rect class="bar" x="${at(left)}" width="${at(width)}" y="${at(y.place(count))}" height="${at(y.place(0) - y.place(count))}"><title>${short(edges[i])} to ${short(edges[i + 1])}: ${short(count)}</title></rect>`
  })
  return frame({ text, height, x, y, marks: bars.join(''), tickText: options.tick })
}

/** An estimate of a forest plot. `state` picks the colour: pass, fail, inconclusive. */
export interface Estimate {
  readonly name: string
  readonly value: number
  readonly low: number
  readonly high: number
  readonly state: string
  /** The interval of the controls, drawn behind. */
  readonly controlLow?: number
  readonly controlHigh?: number
}

/** Estimates with intervals, one a row, and a line at zero. */
export function forestPlot(text: ChartText, estimates: readonly Estimate[]): string {
  if (estimates.length === 0) return empty(text)
  const row = 26
  const left = 150
  const height = topMargin + row * estimates.length + bottomMargin
  const ends = estimates
    .flatMap(({ low, high, controlLow, controlHigh }) => [low, high, controlLow ?? 0, controlHigh ?? 0, 0])
    .filter(Number.isFinite)
  const x = linearScale(min(ends), max(ends), left, chartWidth - rightMargin, 5)
  const rows = estimates.map((estimate, i) => {
    const y = topMargin + row * (i + 0.5)
    const control =
      estimate.controlLow === undefined || estimate.controlHigh === undefined
        ? ''
        : `<rect class="control" x="${at(x.place(estimate.controlLow))}" width="${at(Math.max(1, x.place(estimate.controlHigh) - x.place(estimate.controlLow)))}" y="${at(y - 8)}" height="16"/>`
    const letters = [...visible(estimate.name)]
    const name = letters.length > 20 ? `${letters.slice(0, 19).join('')}…` : letters.join('')
    return `<text class="label" x="${left - 8}" y="${at(y + 4)}" text-anchor="end">${escapeHtml(name)}<title>${shown(estimate.name)}</title></text>${control}<line class="interval ${estimate.state}" x1="${at(x.place(estimate.low))}" x2="${at(x.place(estimate.high))}" y1="${at(y)}" y2="${at(y)}"/><circle class="estimate ${estimate.state}" cx="${at(x.place(estimate.value))}" cy="${at(y)}" r="4"><title>${shown(estimate.name)}: ${short(estimate.value)} [${short(estimate.low)}, ${short(estimate.high)}] ${estimate.state}</title></circle>`
  })
  const zero = `<line class="zero" x1="${at(x.place(0))}" x2="${at(x.place(0))}" y1="${topMargin}" y2="${height - bottomMargin}"/>`
  const ticks = x.ticks.map(
    tick =>
      `<text class="tick" x="${at(x.place(tick))}" y="${height - bottomMargin + 16}" text-anchor="middle">${short(tick)}</text>`,
  )
  const caption = `<text class="axis" x="${(left + chartWidth - rightMargin) / 2}" y="${height - 6}" text-anchor="middle">${escapeHtml(text.x)}</text>`
  return figure(text.title, svg(height, `${zero}${rows.join('')}${ticks.join('')}${caption}`, text.title))
}

/** A chart without its frame: marks between two axes. */
interface Marks {
  readonly text: ChartText
  readonly height: number
  readonly x: Scale
  readonly y: Scale
  readonly marks: string
  /** Series that need a key. */
  readonly legend?: readonly Series[] | undefined
  readonly tickText?: ((tick: number) => string) | undefined
}

function frame({ text, height, x, y, marks, legend = [], tickText = short }: Marks): string {
  const grid = y.ticks.map(tick => {
    const place = at(y.place(tick))
    return `<line class="grid" x1="${leftMargin}" x2="${chartWidth - rightMargin}" y1="${place}" y2="${place}"/><text class="tick" x="${leftMargin - 6}" y="${place}" dy="4" text-anchor="end">${short(tick)}</text>`
  })
  const ticks = x.ticks.map(
    tick =>
      `<text class="tick" x="${at(x.place(tick))}" y="${height - bottomMargin + 16}" text-anchor="middle">${tickText(tick)}</text>`,
  )
  const axes = `<text class="axis" x="${(leftMargin + chartWidth - rightMargin) / 2}" y="${height - 6}" text-anchor="middle">${escapeHtml(text.x)}</text><text class="axis" transform="translate(13 ${(topMargin + height - bottomMargin) / 2}) rotate(-90)" text-anchor="middle">${escapeHtml(text.y)}</text>`
  const names = legend
    .map((one, i) => `<span class="key"><i class="tone-${one.tone ?? i}"></i>${escapeHtml(one.name)}</span>`)
    .join('')
  return figure(text.title, svg(height, `${grid.join('')}${ticks.join('')}${marks}${axes}`, text.title), names)
}

const svg = (height: number, content: string, title: string) =>
  `<svg viewBox="0 0 ${chartWidth} ${height}" role="img" aria-label="${shown(title, 200)}">${content}</svg>`

const figure = (title: string, content: string, legend = '') =>
  `<figure><figcaption>${shown(title, 200)}${legend ? `<span class="legend">${legend}</span>` : ''}</figcaption>${content}</figure>`

const empty = ({ title }: ChartText) => figure(title, '<p class="nothing">Nothing was recorded.</p>')

const at = (value: number) => Number(value.toFixed(1))
const min = (values: readonly number[]) => values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
const max = (values: readonly number[]) => values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
