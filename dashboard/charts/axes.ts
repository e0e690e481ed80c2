/** Axes of a chart: ticks, grid lines, captions. */
import { escapeHtml } from '../html.ts'
import { at } from './chart.ts'
import { type Scale, short } from './scale.ts'

/** Where the marks lie within the drawing. */
export interface Frame {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

/** Ticks in as few digits as tell them apart: 0.9999998 and 0.9999999 are not both 1. */
function textOf({ ticks }: Scale): (tick: number) => string {
  const digits = [3, 4, 5, 6, 7, 8, 9].find(
    digits => new Set(ticks.map(tick => short(tick, digits))).size === ticks.length,
  )
  return tick => short(tick, digits ?? 9)
}

/** Space left of the frame that the texts of vertical axes and their caption need; most need the usual one. */
export const leftOf = (...scales: readonly Scale[]): number =>
  Math.max(
    usualLeft,
    ...scales.map(scale => Math.ceil(26 + 6.6 * Math.max(0, ...scale.ticks.map(tick => textOf(scale)(tick).length)))),
  )
const usualLeft = 54

/** The horizontal axis under the frame. */
export function xAxis(
  scale: Scale,
  { left, right, bottom }: Frame,
  caption: string,
  tickText: (tick: number) => string = textOf(scale),
): string {
  const ticks = scale.ticks.map(
    tick =>
      `<text class="tick" x="${at(scale.place(tick))}" y="${bottom + 15}" text-anchor="middle">${tickText(tick)}</text>`,
  )
  return `${ticks.join('')}<text class="axis" x="${at((left + right) / 2)}" y="${bottom + 32}" text-anchor="middle">${escapeHtml(caption)}</text>`
}

/** The vertical axis beside the frame, with its grid. */
export function yAxis(
  scale: Scale,
  { left, right, top, bottom }: Frame,
  caption: string,
  tickText: (tick: number) => string = textOf(scale),
): string {
  const grid = scale.ticks.map(tick => {
    const place = at(scale.place(tick))
    return `<line class="grid" x1="${left}" x2="${right}" y1="${place}" y2="${place}"/><text class="tick" x="${left - 6}" y="${place}" dy="4" text-anchor="end">${tickText(tick)}</text>`
  })
  return `${grid.join('')}<text class="axis" transform="translate(12 ${at((top + bottom) / 2)}) rotate(-90)" text-anchor="middle">${escapeHtml(caption)}</text>`
}

/** Height that the horizontal axis takes below the frame. */
export const axisHeight = 38
