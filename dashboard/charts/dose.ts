/**
 * Dose curve: the target by dose with its interval, and below on the same doses what the edit does otherwise (KL). Shaded are
 * the doses of the therapeutic window: as much effect as matters, at a KL below the cap.
 */
import { axisHeight, leftOf, xAxis, yAxis } from './axes.ts'
import { at, type Chart, extent, isNumber, withEnds } from './chart.ts'
import { curve, type Series } from './lines.ts'
import { linearScale, short } from './scale.ts'

/** What a dose does. */
export interface DosePoint {
  readonly dose: number
  readonly target: Ends
  /** KL to the unedited model; null where it was not measured. */
  readonly sideEffect: Ends
}

export interface Ends {
  readonly mean: number | null
  readonly low: number | null
  readonly high: number | null
}

export interface DoseData {
  readonly points: readonly DosePoint[]
  readonly smallestEffect: number
  /** Doses between which there is effect enough and KL is below the cap; null where the study was not asked or found none. */
  readonly window: { readonly from: number; readonly to: number } | null
  /** The dose that the claim is about. */
  readonly claimed: number | null
  readonly direction: 'increase' | 'decrease'
}

const seriesOf = (points: readonly DosePoint[], pick: (point: DosePoint) => Ends, name: string): Series => ({
  name,
  points: points.map(point => [point.dose, pick(point).mean]),
  low: points.map(point => pick(point).low),
  high: points.map(point => pick(point).high),
})

export const dose: Chart<DoseData> = {
  name: 'dose',
  size: () => ({ width: 460, height: 320 }),
  isEmpty: ({ points }) => !points.some(({ target }) => isNumber(target.mean)),
  summary({ points, claimed, window }) {
    const known = points.filter(({ target }) => isNumber(target.mean))
    const point = known.find(({ dose }) => dose === claimed) ?? known.at(-1)
    const found = point
      ? `at dose ${short(point.dose)} the target changes by ${withEnds(point.target.mean, point.target.low, point.target.high)} nats and KL is ${withEnds(point.sideEffect.mean, point.sideEffect.low, point.sideEffect.high)}`
      : 'nothing was measured'
    const doses = window ? `; doses ${short(window.from)} to ${short(window.to)} have effect enough at little KL` : ''
    return `Over ${known.length} doses: ${found}${doses}.`
  },
  draw({ points, smallestEffect, window, claimed, direction }, { width, height }) {
    const right = width - 10
    const split = Math.round((height - axisHeight) * 0.66)
    const [x0, x1] = extent(points.map(({ dose }) => dose))!
    const target = seriesOf(points, point => point.target, 'target')
    const kl = seriesOf(points, point => point.sideEffect, 'KL')
    const wanted = direction === 'decrease' ? -smallestEffect : smallestEffect
    const [y0, y1] = extent([...target.points.map(([, y]) => y), ...target.low!, ...target.high!, 0, wanted])!
    const y = linearScale(y0, y1, split, 10)
    const klEnds = extent([...kl.points.map(([, y]) => y), ...kl.high!, 0]) ?? [0, 1]
    const k = linearScale(klEnds[0], klEnds[1], height - axisHeight, split + 24, 3)
    const left = leftOf(y, k)
    const upper = { left, right, top: 10, bottom: split }
    const lower = { left, right, top: split + 24, bottom: height - axisHeight }
    const x = linearScale(x0, x1, left, right, 6)
    const shade = window
      ? `<rect class="window" x="${at(x.place(Math.max(x0, window.from)))}" width="${at(Math.max(1, x.place(Math.min(x1, window.to)) - x.place(Math.max(x0, window.from))))}" y="${upper.top}" height="${lower.bottom - upper.top}"><title>doses ${short(window.from)} to ${short(window.to)}: effect enough at little KL</title></rect>`
      : ''
    const level = (value: number, name: string) =>
      `<line class="${name}" x1="${left}" x2="${right}" y1="${at(y.place(value))}" y2="${at(y.place(value))}"/>`
    const stated = isNumber(claimed)
      ? `<line class="detectable" x1="${at(x.place(claimed))}" x2="${at(x.place(claimed))}" y1="${upper.top}" y2="${lower.bottom}"><title>the claim’s dose</title></line>`
      : ''
    return `${shade}${yAxis(y, upper, 'target, nats')}${level(0, 'zero')}${level(wanted, 'smallest-line')}${stated}${curve(target, x, y, 0)}${yAxis(k, lower, 'KL, nats')}${kl.points.some(([, value]) => isNumber(value)) ? curve(kl, x, k, 1) : `<text class="tick" x="${left + 8}" y="${lower.top + 14}">missing</text>`}${xAxis(x, lower, 'dose, multiples of the latent’s p99 activation')}`
  },
  table: ({ points }) => ({
    columns: ['#Dose', '#Target, nats', '#Low', '#High', '#KL, nats', '#KL low', '#KL high'],
    rows: points.map(({ dose, target, sideEffect }) => [
      dose,
      target.mean,
      target.low,
      target.high,
      sideEffect.mean,
      sideEffect.low,
      sideEffect.high,
    ]),
  }),
}
