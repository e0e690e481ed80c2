/** Histogram: bars over bins whose edges are given, and beside each where there are two groups a bar of the second. */
import { axisHeight, leftOf, xAxis, yAxis } from './axes.ts'
import { at, type Chart } from './chart.ts'
import { linearScale, short } from './scale.ts'

export interface HistogramData {
  readonly x: string
  readonly y: string
  /** One more than counts, rising. */
  readonly edges: readonly number[]
  readonly counts: readonly number[]
  /** How an edge is written: log10 of a density as the density. */
  readonly tick?: ((edge: number) => string) | undefined
  /** A line across, at this x: a threshold. */
  readonly mark?: number | undefined
}

const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0)

export const histogram: Chart<HistogramData> = {
  name: 'histogram',
  size: () => ({ width: 460, height: 190 }),
  isEmpty: ({ counts }) => total(counts) === 0,
  summary({ edges, counts, x, y, tick = short }) {
    const peak = counts.indexOf(Math.max(...counts))
    return `${short(total(counts))} ${y} by ${x}, most between ${tick(edges[peak]!)} and ${tick(edges[peak + 1]!)}.`
  },
  draw({ edges, counts, x: xText, y: yText, tick, mark }, { width, height }) {
    const [top, bottom] = [10, height - axisHeight]
    const y = linearScale(0, Math.max(...counts), bottom, top, 4)
    const frame = { left: leftOf(y), right: width - 10, top, bottom }
    const x = linearScale(edges[0]!, edges.at(-1)!, frame.left, frame.right, 6)
    const text = tick ?? short
    const bars = counts.map((count, i) => {
      const left = x.place(edges[i]!)
      const wide = Math.max(1, x.place(edges[i + 1]!) - left - 1)
      return `<rect class="bar" data-row="${i}" x="${at(left)}" width="${at(wide)}" y="${at(y.place(count))}" height="${at(y.place(0) - y.place(count))}"><title>${text(edges[i]!)} to ${text(edges[i + 1]!)}: ${short(count)}</title></rect>`
    })
    const line =
      mark === undefined || mark < edges[0]! || mark > edges.at(-1)!
        ? ''
        : `<line class="detectable" x1="${at(x.place(mark))}" x2="${at(x.place(mark))}" y1="${frame.top}" y2="${frame.bottom}"/>`
    return `${yAxis(y, frame, yText)}${bars.join('')}${line}${xAxis(x, frame, xText, tick)}`
  },
  table: ({ edges, counts, x, y }) => ({
    columns: [`#${x} from`, '#to', `#${y}`],
    rows: counts.map((count, i) => [edges[i]!, edges[i + 1]!, count]),
  }),
}
