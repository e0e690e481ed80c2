/** Scatter: a mark a thing, shape and tone by its group; where asked, a line through those that no other one beats. */

import { shown } from '../html.ts'
import { axisHeight, leftOf, xAxis, yAxis } from './axes.ts'
import { at, type Chart, extent, isNumber, withEnds } from './chart.ts'
import { linearScale, logScale, type Scale } from './scale.ts'

export interface ScatterPoint {
  readonly name: string
  readonly x: number | null
  readonly y: number | null
  readonly group: string
  /** Ends of its intervals, where it stands for several. */
  readonly xEnds?: Ends | undefined
  readonly yEnds?: Ends | undefined
  /** Whether it is among those that the page shows more of. */
  readonly isChosen?: boolean
}

interface Ends {
  readonly low: number | null
  readonly high: number | null
}

export interface ScatterData {
  readonly x: string
  readonly y: string
  readonly points: readonly ScatterPoint[]
  readonly logX?: boolean
  readonly logY?: boolean
  /** Draws the frontier: less is better of both. */
  readonly frontier?: boolean
}

const placed = ({ points }: ScatterData) =>
  points.filter((point): point is ScatterPoint & { x: number; y: number } => isNumber(point.x) && isNumber(point.y))

/** Groups in the order in which they come. */
export const groupsOf = (points: readonly ScatterPoint[]) => [...new Set(points.map(({ group }) => group))]

/** Those that no other one beats, where less of x and less of y is better, by rising x. */
export function frontierOf<T extends { readonly x: number; readonly y: number }>(points: readonly T[]): T[] {
  const sorted = [...points].sort((a, b) => a.x - b.x || a.y - b.y)
  let best = Number.POSITIVE_INFINITY
  return sorted.filter(({ y }) => {
    const better = y < best
    best = Math.min(best, y)
    return better
  })
}

export const scatter: Chart<ScatterData> = {
  name: 'scatter',
  size: () => ({ width: 460, height: 280 }),
  isEmpty: data => placed(data).length === 0,
  summary(data) {
    const known = placed(data)
    const missing = data.points.length - known.length
    const front = data.frontier
      ? `; ${frontierOf(known)
          .map(({ name }) => name)
          .join(', ')} ${frontierOf(known).length === 1 ? 'is' : 'are'} beaten by none`
      : ''
    return `${data.y} by ${data.x} of ${known.length}${missing > 0 ? ` (${missing} missing)` : ''}${front}.`
  },
  draw(data, { width, height }) {
    const [top, bottom] = [10, height - axisHeight]
    const known = placed(data)
    const [x0, x1] = extent(known.flatMap(({ x, xEnds }) => [x, xEnds?.low, xEnds?.high]))!
    const [y0, y1] = extent(known.flatMap(({ y, yEnds }) => [y, yEnds?.low, yEnds?.high]))!
    const room = 6
    const y = (data.logY && y0 > 0 ? logScale : linearScale)(y0, y1, bottom - room, top + room)
    const frame = { left: leftOf(y), right: width - 10, top, bottom }
    const x = (data.logX && x0 > 0 ? logScale : linearScale)(x0, x1, frame.left + room, frame.right - room)
    const groups = groupsOf(data.points)
    const line = data.frontier
      ? `<path class="front" d="M${frontierOf(known)
          .map(point => `${at(x.place(point.x))} ${at(y.place(point.y))}`)
          .join('L')}"/>`
      : ''
    const rows = new Map(data.points.map((point, row) => [point, row]))
    const marks = known.map(point => {
      const group = groups.indexOf(point.group)
      const [px, py] = [x.place(point.x), y.place(point.y)]
      const bar = (ends: Ends | undefined, scale: Scale, line: (low: number, high: number) => string) =>
        isNumber(ends?.low) && isNumber(ends.high)
          ? `<path class="bar-of tone-${group % 4}" d="${line(at(scale.place(ends.low)), at(scale.place(ends.high)))}"/>`
          : ''
      const bars = `${bar(point.xEnds, x, (low, high) => `M${low} ${at(py)}L${high} ${at(py)}`)}${bar(point.yEnds, y, (low, high) => `M${at(px)} ${low}L${at(px)} ${high}`)}`
      const ring = point.isChosen ? `<circle class="chosen" cx="${at(px)}" cy="${at(py)}" r="8"/>` : ''
      return `${bars}${ring}<path class="dot tone-${group % 4}" data-row="${rows.get(point)}" d="${shapeOf(group, px, py)}"><title>${shown(point.name)}: ${withEnds(point.x, point.xEnds?.low ?? null, point.xEnds?.high ?? null)}, ${withEnds(point.y, point.yEnds?.low ?? null, point.yEnds?.high ?? null)}</title></path>`
    })
    return `${yAxis(y, frame, data.y)}${line}${marks.join('')}${xAxis(x, frame, data.x)}`
  },
  table({ points, x, y }) {
    const isBanded = points.some(({ xEnds, yEnds }) => xEnds || yEnds)
    const known = (value: number | null | undefined) => (isNumber(value) ? value : null)
    const ends = (given: Ends | undefined) => (isBanded ? [known(given?.low), known(given?.high)] : [])
    const heads = (name: string) => [`#${name}`, ...(isBanded ? [`#${name}: low`, `#${name}: high`] : [])]
    return {
      columns: ['Name', 'Group', ...heads(x), ...heads(y)],
      rows: points.map(point => [
        ...[point.name, point.group, known(point.x), ...ends(point.xEnds), known(point.y), ...ends(point.yEnds)],
      ]),
    }
  },
}

/** Disc, square, triangle, diamond, and again. */
function shapeOf(group: number, px: number, py: number): string {
  const [x, y] = [at(px), at(py)]
  return [
    `M${at(x - 4)} ${y}a4 4 0 1 0 8 0a4 4 0 1 0-8 0Z`,
    `M${at(x - 3.6)} ${at(y - 3.6)}h7.2v7.2h-7.2Z`,
    `M${x} ${at(y - 4.6)}l4.4 7.8h-8.8Z`,
    `M${x} ${at(y - 4.8)}l4.8 4.8l-4.8 4.8l-4.8-4.8Z`,
  ][group % 4]!
}
