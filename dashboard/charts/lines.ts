/** Curves over a common x, each with a band where its ends are known. */
import { axisHeight, leftOf, xAxis, yAxis } from './axes.ts'
import { at, type Chart, extent, isNumber } from './chart.ts'
import { linearScale, logScale, type Scale, short } from './scale.ts'

/** A curve; `tone` picks its colour (0 is the accent). A value that is null breaks it. */
export interface Series {
  readonly name: string
  readonly points: readonly (readonly [number, number | null])[]
  readonly tone?: number
  /** Ends of each point's interval. */
  readonly low?: readonly (number | null)[]
  readonly high?: readonly (number | null)[]
}

export interface LinesData {
  readonly x: string
  readonly y: string
  readonly series: readonly Series[]
  /** Logarithmic y, where every value is positive. */
  readonly log?: boolean
}

/** Points above which a curve has no dots. */
const mostDots = 24

const valuesOf = (series: readonly Series[]) => series.flatMap(({ points }) => points.map(([, y]) => y))

/** The key of curves, for figures that hold several. */
export const keyOf = (series: readonly Series[]) =>
  series.length > 1 ? series.map(({ name, tone }, i) => ({ name, mark: `tone-${tone ?? i}` })) : []

export const lines: Chart<LinesData> = {
  name: 'lines',
  size: () => ({ width: 460, height: 220 }),
  isEmpty: ({ series }) => !valuesOf(series).some(isNumber),
  summary({ series, x, y }) {
    const parts = series.map(({ name, points }) => {
      const known = points.filter(([, value]) => isNumber(value))
      const [first, last] = [known[0], known.at(-1)]
      return first && last
        ? `${name} goes from ${short(first[1])} at ${short(first[0])} to ${short(last[1])} at ${short(last[0])}`
        : `${name} is missing`
    })
    return `${y} by ${x}: ${parts.join('; ')}.`
  },
  draw({ series, x: xText, y: yText, log }, { width, height }) {
    const [top, bottom] = [10, height - axisHeight]
    const [x0, x1] = extent(series.flatMap(({ points }) => points.map(([px]) => px)))!
    const ends = [...valuesOf(series), ...series.flatMap(({ low = [], high = [] }) => [...low, ...high])]
    const [y0, y1] = extent(ends)!
    const y = (log && y0 > 0 ? logScale : linearScale)(y0, y1, bottom, top)
    const frame = { left: leftOf(y), right: width - 10, top, bottom }
    const x = linearScale(x0, x1, frame.left, frame.right, 5)
    let first = 0
    const marks = series.map((one, i) => {
      const drawn = curve(one, x, y, one.tone ?? i, first)
      first += one.points.length
      return drawn
    })
    return `${yAxis(y, frame, yText)}${marks.join('')}${xAxis(x, frame, xText)}`
  },
  table({ series, x, y }) {
    const isBanded = series.some(({ low }) => low !== undefined)
    const isOne = series.length === 1
    return {
      columns: [...(isOne ? [] : ['Curve']), `#${x}`, `#${y}`, ...(isBanded ? ['#Low', '#High'] : [])],
      rows: series.flatMap(({ name, points, low, high }) =>
        points.map(([px, py], i) => [
          ...(isOne ? [] : [name]),
          px,
          isNumber(py) ? py : null,
          ...(isBanded ? [low?.[i] ?? null, high?.[i] ?? null] : []),
        ]),
      ),
    }
  },
}

/** Band, line and dots of a curve, on scales that are given; its first point is row `first` of the chart's table. */
export function curve({ points, low, high }: Series, x: Scale, y: Scale, tone: number, first = 0): string {
  let pen = 'M'
  const path = points.map(([px, py]) => {
    if (!isNumber(py)) {
      pen = 'M'
      return ''
    }
    const step = `${pen}${at(x.place(px))} ${at(y.place(py))}`
    pen = 'L'
    return step
  })
  const known = points.flatMap(([px, py], i) => (isNumber(py) ? [{ px, py, i }] : []))
  const bounded = known.filter(({ i }) => isNumber(low?.[i]) && isNumber(high?.[i]))
  const edge = (ends: readonly (number | null)[]) =>
    bounded.map(({ px, i }) => `${at(x.place(px))} ${at(y.place(ends[i]!))}`)
  const band =
    low && high && bounded.length > 1
      ? `<path class="band tone-${tone}" d="M${[...edge(high), ...edge(low).reverse()].join('L')}Z"/>`
      : ''
  const dots =
    known.length > mostDots
      ? ''
      : known
          .map(
            ({ px, py }) =>
              `<circle class="tone-${tone} dot" cx="${at(x.place(px))}" cy="${at(y.place(py))}" r="2.6"><title>${short(px)}: ${short(py)}</title></circle>`,
          )
          .join('')
  return `${band}<path class="line tone-${tone}" data-rows="${rangesOf(known.map(({ i }) => first + i))}" d="${path.join('')}"/>${dots}`
}

/** Rising whole numbers as ranges: `0-3,5`. The path's points, in order, are those rows. */
function rangesOf(rows: readonly number[]): string {
  const ranges: [number, number][] = []
  for (const row of rows) {
    const last = ranges.at(-1)
    if (last && last[1] === row - 1) last[1] = row
    else ranges.push([row, row])
  }
  return ranges.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(',')
}
