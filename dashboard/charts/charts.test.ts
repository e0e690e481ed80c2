import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { leftOf, xAxis } from './axes.ts'
import { type ChancesData, chances } from './chances.ts'
import { describeChart, hostileText } from './chart.contract.ts'
import { svgOf } from './chart.ts'
import { type DoseData, dose } from './dose.ts'
import { figureOf } from './figure.ts'
import { type ForestData, forest } from './forest.ts'
import { type HeatData, heat } from './heat.ts'
import { type HistogramData, histogram } from './histogram.ts'
import { type LineageData, layersOf, lineage } from './lineage.ts'
import { type LinesData, lines } from './lines.ts'
import { type RocData, roc, thresholdText } from './roc.ts'
import { linearScale, logScale, roundTicks, short } from './scale.ts'
import { frontierOf, type ScatterData, scatter } from './scatter.ts'

describe('scales', () => {
  test('write ticks that are near each other in digits that tell them apart, and leave room for long ones', () => {
    const near = linearScale(0.99999991, 0.99999998, 0, 100)
    const texts = [...xAxis(near, { left: 0, right: 100, top: 0, bottom: 10 }, '').matchAll(/>([^<>]+)<\/text>/g)].map(
      ([, text]) => text,
    )
    expect(new Set(texts).size).toBe(near.ticks.length)
    expect(texts[0]).toMatch(/^0\.9999999/)
    expect(leftOf(linearScale(0, 100, 0, 100))).toBe(54)
    expect(leftOf(linearScale(-0.00801, -0.00799, 0, 100))).toBeGreaterThan(65)
  })

  test('put ticks at round values inside the range', () => {
    expect(roundTicks(0, 1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1])
    expect(roundTicks(-3, 12, 4)).toEqual([0, 5, 10])
  })

  test('map the ends to the ends, linear and logarithmic', () => {
    const linear = linearScale(2, 4, 100, 200)
    expect([2, 3, 4].map(linear.place)).toEqual([100, 150, 200])
    const log = logScale(0.01, 100, 0, 40)
    expect([0.01, 1, 100].map(value => Math.round(log.place(value)))).toEqual([0, 20, 40])
    expect(log.ticks).toEqual([0.01, 0.1, 1, 10, 100])
  })

  test('rise with the value, always', () => {
    const finite = fc.double({ min: -1e6, max: 1e6, noNaN: true })
    fc.assert(
      fc.property(finite, finite, finite, finite, (a, b, c, d) => {
        const scale = linearScale(Math.min(a, b), Math.max(a, b), 0, 400)
        expect(Math.sign(scale.place(Math.max(c, d)) - scale.place(Math.min(c, d)))).toBeGreaterThanOrEqual(0)
      }),
      { seed: 1, numRuns: 200 },
    )
  })

  test('give a single value some room', () => expect(linearScale(5, 5, 0, 10).place(5)).toBe(5))

  test('write numbers in few characters', () =>
    expect([0.07223, 1234, 3_900_000, 2e-7, -0.5, 0, null, Number.NaN].map(value => short(value))).toEqual([
      '0.0722',
      '1,234',
      '3.9M',
      '2e-7',
      '−0.5',
      '0',
      '–',
      '–',
    ]))
})

const forestData: ForestData = {
  x: 'change, nats',
  smallestEffect: 0.1,
  rows: [
    {
      ...{ name: 'ablation', value: -0.5, low: -0.75, high: -0.25, n: 'n 16', p: 0.01, state: 'pass' },
      detectable: -0.2,
      controls: [{ name: 'random', value: 0.05, low: -0.1, high: 0.2, n: '50 drawn', p: 0.5 }],
    },
    { name: 'steering', value: 1, low: 0.5, high: 1.5, state: 'fail' },
    { name: 'other', value: 0.25, low: 0, high: 0.5, state: 'inconclusive' },
  ],
}
describeChart<ForestData>(forest, {
  usual: forestData,
  gaps: { x: 'x', rows: [{ name: 'a', value: null, low: null, high: 1, state: 'not-run', detectable: null }] },
  hostile: {
    x: hostileText.slice(0, 40),
    rows: [{ name: hostileText, value: 1, low: 0, high: 2, state: hostileText }],
  },
  empty: { x: '', rows: [] },
})

describe('a forest plot', () => {
  const number = (svg: string, pattern: RegExp) => Number(pattern.exec(svg)![1])

  test('has each control beneath its estimate, and a shape for each state', () => {
    const svg = svgOf(forest, forestData)
    const order = [...svg.matchAll(/class="estimate ([a-z-]+)/g)].map(([, state]) => state)
    expect(order).toEqual(['pass', 'of-control', 'fail', 'inconclusive'])
    expect(svg).toMatch(/<circle class="estimate pass"/)
    expect(svg).toMatch(/<path class="estimate fail cross"/)
  })

  test('has the point inside its interval, whatever the values', () => {
    const finite = fc.double({ min: -1e3, max: 1e3, noNaN: true })
    fc.assert(
      fc.property(finite, finite, finite, (a, b, c) => {
        const [low, value, high] = [a, b, c].sort((x, y) => x - y) as [number, number, number]
        const svg = svgOf(forest, { x: 'x', rows: [{ name: 'a', value, low, high, state: 'pass' }] })
        const x = number(svg, /class="estimate pass" cx="([-\d.]+)"/)
        expect(x).toBeGreaterThanOrEqual(number(svg, /class="interval pass" x1="([-\d.]+)"/))
        expect(x).toBeLessThanOrEqual(number(svg, / x2="([-\d.]+)" y1="\d+" y2="\d+"\/><circle/))
      }),
      { seed: 2, numRuns: 100 },
    )
  })

  test('has its band about zero and its tick where an effect could have been found', () => {
    const svg = svgOf(forest, forestData)
    const zero = number(svg, /class="zero" x1="([-\d.]+)"/)
    const left = number(svg, /class="smallest" x="([-\d.]+)"/)
    const wide = number(svg, /class="smallest" x="[-\d.]+" width="([-\d.]+)"/)
    expect(left + wide / 2).toBeCloseTo(zero, 0)
    // 0.2 nats of tick is as far from zero as twice the band of 0.1.
    expect(zero - number(svg, /class="detectable" x1="([-\d.]+)"/)).toBeCloseTo(wide, 0)
  })

  test('says what is missing and draws no mark for it', () => {
    const svg = svgOf(forest, { x: 'x', rows: [{ name: 'a', value: null, low: 1, high: 2, state: 'pass' }] })
    expect(svg).toContain('>missing</text>')
    expect(svg).not.toContain('class="estimate')
  })
})

test('a forest plot writes a name that has no room beside its figures whole, above them, and grows by it', () => {
  const control = { name: 'x', value: -0.0488, low: -0.256, high: 0.167, n: '159 drawn' }
  const of = (name: string): ForestData => ({
    x: 'nats',
    rows: [{ name: 'ablation', value: 0, low: -1, high: 1, state: 'pass', controls: [{ ...control, name }] }],
  })
  const [short, long] = [of('foreign'), of('random directions that fire as often')]
  const svg = svgOf(forest, long)
  expect(svg).toContain('>random directions that fire as often<')
  const [name, figures] = ['random directions', '−0.0488'].map(text =>
    Number(new RegExp(`y="(\\d+)"[^>]*>${text}`).exec(svg)![1]),
  )
  expect(figures! - name!).toBe(15)
  expect(forest.size(long).height - forest.size(short).height).toBe(15)
})

const ends = (mean: number | null) => ({
  mean,
  low: mean === null ? null : mean - 0.1,
  high: mean === null ? null : mean + 0.1,
})
const doseData: DoseData = {
  points: [-1, 0, 1, 2].map(dose => ({ dose, target: ends(dose / 2), sideEffect: ends(dose * dose) })),
  ...{ smallestEffect: 0.1, window: { from: 0.5, to: 1.5 }, claimed: 1, direction: 'increase' },
}
describeChart<DoseData>(dose, {
  usual: doseData,
  gaps: {
    ...doseData,
    points: [...doseData.points, { dose: 3, target: ends(null), sideEffect: ends(null) }],
    window: null,
  },
  hostile: { ...doseData, claimed: null },
  empty: { ...doseData, points: [] },
})
test('a dose curve shades the doses of the window on its own axis', () => {
  const svg = svgOf(dose, doseData)
  const [x, width] = /class="window" x="([\d.]+)" width="([\d.]+)"/.exec(svg)!.slice(1).map(Number) as [number, number]
  const dots = [...svg.matchAll(/class="tone-0 dot" cx="([\d.]+)"/g)].map(([, cx]) => Number(cx))
  const unit = dots[3]! - dots[2]!
  expect(x).toBeCloseTo(dots[1]! + unit / 2, 0)
  expect(width).toBeCloseTo(unit, 0)
  expect(
    svgOf(dose, { ...doseData, points: doseData.points.map(point => ({ ...point, sideEffect: ends(null) })) }),
  ).toContain('missing')
})

const tiny = (mean: number) => ({ mean: Math.abs(mean) / 1000, low: 0, high: Math.abs(mean) / 800 })
test('the captions of a dose curve stand clear of long ticks', () => {
  const points = doseData.points.map(point => ({ ...point, sideEffect: tiny(point.dose) }))
  const svg = svgOf(dose, { ...doseData, points })
  const ticks = [...svg.matchAll(/<text class="tick" x="(\d+)"[^>]*text-anchor="end">([^<]*)</g)]
  expect(Math.max(...ticks.map(([, , text]) => text!.length))).toBeGreaterThanOrEqual(5)
  for (const [, x, text] of ticks) expect(Number(x) - 6.6 * text!.length).toBeGreaterThanOrEqual(18)
})

const cell = (value: number, n = 9) => ({ value, low: value - 0.1, high: value + 0.1, n })
const heatData: HeatData = {
  ...{ columns: ['ablation', 'steering'], planned: 5, unit: 'nats' },
  rows: [
    { name: 'language en', cells: [cell(-0.5), cell(0.05)] },
    { name: 'language fr', cells: [cell(0.25, 3), null] },
  ],
}
describeChart<HeatData>(heat, {
  usual: heatData,
  gaps: heatData,
  hostile: { ...heatData, columns: [hostileText, 'b'], rows: [{ name: hostileText, cells: [cell(1), null] }] },
  empty: { ...heatData, rows: [] },
})
test('a heat map prints every value, outlines what may be 0, hatches what is of few documents, and names what is missing', () => {
  const svg = svgOf(heat, heatData)
  expect([...svg.matchAll(/text-anchor="middle">([^<]*)</g)].map(([, text]) => text)).toEqual([
    ...['ablation', 'steering', '−0.5', '0.05', '0.25', 'missing'],
  ])
  expect(svg.match(/ open"/g)).toHaveLength(1)
  expect(svg.match(/class="hatch"/g)).toHaveLength(1)
  expect(svg).toContain('cell less-5')
  expect(svg).toContain('cell more-3')
})

const histogramData: HistogramData = { x: 'activation', y: 'tokens', edges: [0, 1, 2, 3], counts: [1, 4, 2], mark: 1.5 }
const chancesData: ChancesData = {
  alpha: 0.01,
  rows: [
    { name: 'hook_embed, language fi', p: 0.001, found: true },
    { name: 'hook_embed, language en', p: 0.1, found: false },
  ],
}
describeChart<ChancesData>(chances, {
  usual: chancesData,
  gaps: { ...chancesData, rows: [...chancesData.rows, { name: 'few documents', p: null, found: false }] },
  hostile: { alpha: 0.01, rows: [{ name: hostileText, p: 0, found: true }] },
  empty: { alpha: 0.01, rows: [] },
})
test('bars of chances are as long as −log₁₀ p, and only what was found crosses the line at α', () => {
  const svg = svgOf(chances, chancesData)
  const [found, calm] = [...svg.matchAll(/class="bar[^"]*" x="10" y="\d+" width="([\d.]+)"/g)].map(([, width]) =>
    Number(width),
  )
  expect(found! / calm!).toBeCloseTo(3, 2)
  const line = Number(/<line class="zero" x1="([\d.]+)"/.exec(svg)![1]) - 10
  expect([found! > line, calm! > line]).toEqual([true, false])
  expect(svg).toContain('p 0.001 · drifted')
})

describeChart<HistogramData>(histogram, {
  usual: histogramData,
  gaps: { ...histogramData, counts: [0, 4, 0] },
  hostile: { ...histogramData, x: hostileText.slice(0, 30) },
  empty: { ...histogramData, counts: [0, 0, 0] },
})
test('bars are as high as their share of the largest', () => {
  const heights = [...svgOf(histogram, histogramData).matchAll(/height="([\d.]+)"><title>/g)].map(([, height]) =>
    Number(height),
  )
  expect(heights[1]! / heights[0]!).toBeCloseTo(4, 1)
})

const scatterData: ScatterData = {
  ...{ x: 'L0', y: 'FVU', logX: true, frontier: true },
  points: [
    { name: 'a', x: 8, y: 0.3, group: 'topk' },
    { name: 'b', x: 16, y: 0.2, group: 'topk' },
    { name: 'c', x: 16, y: 0.25, group: 'gated' },
    { name: 'd', x: 32, y: 0.22, group: 'gated' },
  ],
}
describeChart<ScatterData>(scatter, {
  usual: scatterData,
  gaps: { ...scatterData, points: [...scatterData.points, { name: 'e', x: null, y: 1, group: 'relu' }] },
  hostile: { ...scatterData, points: [{ name: hostileText, x: 1, y: 1, group: hostileText }] },
  empty: { ...scatterData, points: [{ name: 'e', x: null, y: 1, group: 'relu' }] },
})
test('a mark that stands for several has bars as long as its intervals, a ring where it is chosen, and ends in the table', () => {
  const ends = { xEnds: { low: 8, high: 32 }, yEnds: { low: 0.2, high: 0.3 } }
  const data: ScatterData = {
    ...scatterData,
    points: [{ name: 'a', x: 16, y: 0.25, group: 'topk', ...ends, isChosen: true }, ...scatterData.points.slice(1)],
  }
  const svg = svgOf(scatter, data)
  const [, x1, y1, x2, y2] = /class="bar-of tone-0" d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"/.exec(svg)!.map(Number)
  expect(y1).toBe(y2)
  // On the logarithmic axis 16 is in the middle of 8 and 32, and the mark is there.
  const [, cx] = /class="chosen" cx="([\d.]+)"/.exec(svg)!.map(Number)
  expect((x1! + x2!) / 2).toBeCloseTo(cx!, 0)
  expect(scatter.table(data).columns).toEqual([
    ...['Name', 'Group', '#L0', '#L0: low', '#L0: high', '#FVU', '#FVU: low', '#FVU: high'],
  ])
  expect(scatter.table(data).rows[0]).toEqual(['a', 'topk', 16, 8, 32, 0.25, 0.2, 0.3])
  expect(scatter.table(data).rows[1]).toEqual(['b', 'topk', 16, null, null, 0.2, null, null])
})
test('the frontier holds those that no other one beats', () => {
  expect(frontierOf(scatterData.points as never[]).map(({ name }) => name)).toEqual(['a', 'b'])
  expect(scatter.summary(scatterData)).toBe('FVU by L0 of 4; a, b are beaten by none.')
})

const linesData: LinesData = {
  ...{ x: 'tokens', y: 'loss' },
  series: [
    {
      name: 'loss',
      points: [
        [0, 4],
        [1, 2],
        [2, 1],
      ],
      low: [3, 1, 0.5],
      high: [5, 3, 2],
    },
  ],
}
const withGap: LinesData = {
  ...linesData,
  series: [
    {
      name: 'loss',
      points: [
        [0, 4],
        [1, null],
        [2, 1],
        [3, 1],
      ],
    },
  ],
}
describeChart<LinesData>(lines, {
  usual: linesData,
  gaps: withGap,
  hostile: { ...linesData, series: [{ ...linesData.series[0]!, name: hostileText }] },
  empty: { ...linesData, series: [{ name: 'loss', points: [[0, null]] }] },
})
test('a curve breaks where a value is missing instead of bridging it', () => {
  const path = /class="line tone-0"[^>]* d="([^"]*)"/.exec(svgOf(lines, withGap))![1]!
  expect(path.match(/M/g)).toHaveLength(2)
  expect(svgOf(lines, withGap).match(/<circle/g)).toHaveLength(3)
})

const node = (id: string, href: string | null = `/runs/${id}`) => ({
  id,
  kind: 'train',
  status: 'finished',
  stale: false,
  href,
})
const lineageData: LineageData = {
  nodes: [node('capture'), node('model', null), node('train'), node('label')],
  edges: [
    { from: 'model', to: 'capture', role: 'model', state: 'file' },
    { from: 'capture', to: 'train', role: 'capture', state: 'same' },
    { from: 'train', to: 'label', role: 'sae', state: 'changed' },
    { from: 'model', to: 'label', role: 'model', state: 'file' },
  ],
  focus: 'train',
}
describeChart<LineageData>(lineage, {
  usual: lineageData,
  gaps: { ...lineageData, edges: [...lineageData.edges, { from: 'gone', to: 'label', role: 'x', state: 'missing' }] },
  hostile: {
    nodes: [node(hostileText)],
    edges: [{ from: hostileText, to: hostileText, role: hostileText, state: hostileText }],
    focus: null,
  },
  empty: { nodes: [], edges: [], focus: null },
})
test('what is made from something stands right of it, even in a circle, and what is stale says so', () => {
  const layers = layersOf(lineageData)
  for (const { from, to } of lineageData.edges) expect(layers.get(to)!).toBeGreaterThan(layers.get(from)!)
  const circle = {
    nodes: [node('a'), node('b')],
    edges: [
      ['a', 'b'],
      ['b', 'a'],
    ].map(([from, to]) => ({ from: from!, to: to!, role: '', state: 'same' })),
  }
  expect(layersOf(circle).size).toBe(2)
  expect(svgOf(lineage, lineageData)).toContain('<title>train label, stale</title>')
  expect(lineage.summary(lineageData)).toBe('4 runs and inputs, 4 steps between them; 1 inputs are not what they were.')
})

test('a figure keeps exact values beside the short ones, for copying', () => {
  const html = figureOf(histogram, { ...histogramData, counts: [1, 1234567, 2] }, { title: 't' })
  expect(html).toContain('<td class="number" data-value="1234567"><span>1.23M</span></td>')
})

const rocMark = (threshold: number, recall: number | null, falseAlarms: number): RocData['points'][number] => ({
  ...{ threshold, truePositives: 3, falsePositives: 1, falseAlarms },
  recall: {
    value: recall,
    low: recall === null ? null : recall - 0.1,
    high: recall === null ? null : Math.min(1, recall + 0.1),
  },
  precision: { value: 0.75, low: null, high: null },
})
const rocData: RocData = {
  points: [rocMark(3, 0.25, 0), rocMark(2, 0.75, 0.125), rocMark(1, 1, 0.5)],
  chosen: 1,
  auroc: 0.9,
}
describeChart<RocData>(roc, {
  usual: rocData,
  gaps: { ...rocData, points: [...rocData.points, rocMark(0.5, null, 1)] },
  hostile: rocData,
  empty: { ...rocData, points: [] },
})
test('a ROC curve rings the threshold that was chosen and says what it gives', () => {
  const svg = svgOf(roc, rocData)
  const [, ringX] = /class="chosen" cx="([\d.]+)"/.exec(svg)!
  const [, d] = /class="line tone-0"[^>]* d="([^"]*)"/.exec(svg)!
  expect(d!.split('L')[1]!.split(' ')[0]).toBe(ringX)
  expect(thresholdText(rocData.points[1]!)).toBe(
    'Called from 2 on: recall 0.75 (0.65 to 0.85), precision 0.75; 3 tokens of the concept and 1 others, 12.5 % of these.',
  )
})
