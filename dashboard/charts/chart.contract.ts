/** What every chart promises, whatever it draws. */
import { describe, expect, test } from 'vitest'
import { type Chart, svgOf } from './chart.ts'
import { figureOf } from './figure.ts'

/** Data by what they are a case of; `hostile` has markup, control characters and a very long text in every name. */
export interface Samples<Data> {
  readonly usual: Data
  /** Some values are missing. */
  readonly gaps: Data
  readonly hostile: Data
  readonly empty: Data
}

const long = 'W'.repeat(100_000)
/** A text that no page may show as it is. */
export const hostileText = `<script>"'&\u202e\u0000${long}`

/** Runs the contract for one chart. */
export function describeChart<Data>(chart: Chart<Data>, { usual, gaps, hostile, empty }: Samples<Data>): void {
  describe(`${chart.name} keeps the contract of charts`, () => {
    const drawn = { usual: svgOf(chart, usual), gaps: svgOf(chart, gaps), hostile: svgOf(chart, hostile) }

    test('it is the same text for the same data', () => expect(svgOf(chart, usual)).toBe(drawn.usual))

    test('it says in one sentence what it shows', () => {
      for (const svg of Object.values(drawn)) {
        expect(svg).toMatch(chart.isInteractive ? /role="group"/ : /role="img"/)
        expect(svg).toMatch(/aria-label="[^"]{10,}"/)
      }
      expect(chart.summary(usual)).toMatch(/^[^.].*\.$/)
      expect(chart.summary(empty).length).toBeGreaterThan(5)
    })

    test('no mark has a place that is no number', () => {
      for (const svg of Object.values(drawn)) expect(svg).not.toMatch(/NaN|undefined|Infinity|null/)
    })

    test('every coordinate lies within the drawing', () => {
      const { width, height } = chart.size(usual)
      const found = [...drawn.usual.matchAll(/ (x|x1|x2|cx|y|y1|y2|cy)="(-?[\d.]+)"/g)]
      expect(found.length).toBeGreaterThan(0)
      for (const [, name, value] of found) {
        expect(Number(value)).toBeGreaterThanOrEqual(-0.5)
        expect(Number(value)).toBeLessThanOrEqual((name!.includes('x') ? width : height) + 0.5)
      }
    })

    test('it is drawn again in another width', () => {
      const { height } = chart.size(usual)
      if (!chart.isInteractive) expect(svgOf(chart, usual, { width: 320, height })).not.toBe(drawn.usual)
    })

    test('hostile names are text, written out and cut', () => {
      const html = figureOf(chart, hostile, { title: hostileText })
      for (const bad of ['<script', '\u202e', '\u0000']) expect(html).not.toContain(bad)
      expect(html.length).toBeLessThan(60_000)
    })

    test('its table has a row of as many cells as columns, and says what is missing', () => {
      for (const data of [usual, gaps, hostile]) {
        const { columns, rows } = chart.table(data)
        for (const row of rows) expect(row).toHaveLength(columns.length)
      }
      const { columns, rows } = chart.table(usual)
      rows.flat().forEach(cell => {
        if (typeof cell === 'number') expect(Number.isFinite(cell)).toBe(true)
      })
      if (columns.some(column => column.startsWith('#')) && chart.table(gaps).rows.flat().includes(null))
        expect(figureOf(chart, gaps, { title: 't' })).toContain('>missing</td>')
    })

    test('every row of its table that has a number is a mark, once in a drawing or on each of its curves', () => {
      if (chart.isInteractive) return
      const svg = drawn.usual
      const rows = chart.table(usual).rows
      const marked = new Set([...svg.matchAll(/ data-row="(\d+)"/g)].map(([, row]) => Number(row)))
      for (const [, ranges, d] of svg.matchAll(/ data-rows="([\d,-]+)" d="([^"]*)"/g)) {
        const places = ranges!.split(',').flatMap(range => {
          const [from, to = from] = range.split('-').map(Number) as [number, number?]
          return Array.from({ length: to - from + 1 }, (_, i) => from + i)
        })
        expect(d!.match(/[ML]/g)).toHaveLength(places.length)
        for (const row of places) marked.add(row)
      }
      const known = rows.flatMap((row, i) => (row.some(cell => typeof cell === 'number') ? [i] : []))
      expect([...marked].filter(row => known.includes(row)).sort((a, b) => a - b)).toEqual(known)
      for (const row of marked) expect(rows[row]).toBeDefined()
    })

    test('where there is nothing it says so and draws nothing', () => {
      expect(chart.isEmpty(empty)).toBe(true)
      const html = figureOf(chart, empty, { title: 't', nothing: 'Not run.' })
      expect(html).toContain('Not run.')
      expect(html).not.toContain('<svg')
    })
  })
}
