/** Live training curves: small multiples over a common x, each pixel the least and the largest value of its part, redrawn as lines reach the disk. */
import uPlot from 'uplot'
import { createClient } from '../api/client.ts'
import type { Api } from '../api/types.ts'
import { short } from '../charts/scale.ts'
import { chooseByBox } from './brush.ts'
import { announce, element } from './dom.ts'
import { commandOf, tell } from './origin.ts'

type Curve = Api['curves']['answer']['curves'][number]

/** Milliseconds that new lines are gathered for before curves are asked for again. */
const patience = 300
const height = 220
const logarithmic = new Set(['fvu', 'loss'])

const ask = createClient()

/** What a run's curves look like at the moment. */
interface Known {
  readonly run: string
  readonly status: string
  readonly curves: ReadonlyMap<string, Curve>
  readonly resumed: readonly number[]
}

/** A colour of the style sheet. */
const colour = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
const tones = ['--accent', '--tone1', '--tone2', '--tone3']

async function load(
  runs: readonly string[],
  x: string,
  buckets: number,
  range?: readonly [number, number],
): Promise<Known[]> {
  const query = { x, buckets, ...(range ? { from: range[0], to: range[1] } : {}) }
  return Promise.all(
    runs.map(async run => {
      const { curves, status, resumed } = await ask('curves', { parts: { run }, query })
      return { run, status, resumed, curves: new Map(curves.map(curve => [curve.key, curve])) }
    }),
  )
}

/** Columns for uPlot: x of all runs, and of each run the last, least and largest value there. */
export function columnsOf(
  known: readonly Known[],
  key: string,
): { x: number[]; series: { run: string; values: (number | null)[][] }[] } {
  const held = known.flatMap(({ run, curves }) => {
    const curve = curves.get(key)
    return curve ? [{ run, curve }] : []
  })
  const x = [...new Set(held.flatMap(({ curve }) => curve.x))].sort((a, b) => a - b)
  const place = new Map(x.map((value, i) => [value, i]))
  const series = held.map(({ run, curve }) => ({
    run,
    values: [curve.last, curve.min, curve.max].map(values => {
      const column = new Array<number | null>(x.length).fill(null)
      for (const [i, at] of curve.x.entries()) column[place.get(at)!] = values[i]!
      return column
    }),
  }))
  return { x, series }
}

/** One chart, drawn anew from what is known. */
class Panel {
  readonly #box: HTMLElement
  readonly #key: string
  readonly #table: HTMLElement
  readonly #title: string
  #plot: uPlot | undefined
  #drawn: ReturnType<typeof columnsOf> & { readonly xName: string } = { x: [], series: [], xName: '' }
  #place = -1

  constructor(place: HTMLElement, key: string, title: string) {
    this.#key = key
    this.#title = title
    this.#box = element('div', { class: 'plot', role: 'group', tabindex: '0', 'aria-label': title })
    this.#box.addEventListener('keydown', event => this.#walk(event))
    this.#box.addEventListener('click', () => this.#open(this.#plot?.cursor.idx ?? null))
    this.#table = element('details', { class: 'twin' }, element('summary', { text: 'As a table' }))
    place.append(
      element(
        'figure',
        { class: 'chart', 'data-name': title },
        element('figcaption', { text: title }),
        this.#box,
        this.#table,
      ),
    )
  }

  draw(known: readonly Known[], x: string, zoomed: (range: readonly [number, number] | undefined) => void): void {
    const { x: along, series } = columnsOf(known, this.#key)
    const data = [along, ...series.flatMap(({ values }) => values)] as uPlot.AlignedData
    const figures = series.map(
      ({ run, values }) => `${run} ${short(values[0]!.findLast(value => value !== null) ?? null)}`,
    )
    this.#drawn = { x: along, series, xName: x }
    this.#box.setAttribute(
      'aria-label',
      `${this.#key} by ${x}, last values: ${figures.join(', ')}; arrows go from value to value, Enter says where one is from`,
    )
    this.#table.replaceChildren(this.#table.firstElementChild!, tableOf(along, series, x))
    this.#plot?.destroy()
    const ink = colour('--soft')
    const axis = { stroke: ink, grid: { stroke: colour('--rule') }, ticks: { stroke: colour('--rule') } }
    this.#plot = new uPlot(
      {
        width: this.#box.clientWidth,
        height,
        // A drag looks closer, a press opens what is there.
        cursor: { sync: { key: 'curves' }, drag: { dist: 5 } },
        scales: { x: { time: false }, y: logarithmic.has(this.#key) ? { distr: 3 } : {} },
        axes: [
          { ...axis, values: (_, ticks) => ticks.map(tick => short(tick)) },
          { ...axis, size: 62, values: (_, ticks) => ticks.map(tick => (tick === null ? '' : short(tick))) },
        ],
        legend: { live: true },
        series: [
          { label: x, value: (_, value) => short(value) },
          ...series.flatMap(({ run }, i): uPlot.Series[] => {
            const stroke = colour(tones[i % tones.length]!)
            const shown = (_: uPlot, value: number | null) => short(value)
            return [
              { label: run, stroke, width: 1.8, spanGaps: true, value: shown },
              {
                label: `${run}, least`,
                class: 'extent',
                width: 0,
                points: { show: false },
                spanGaps: true,
                value: shown,
              },
              {
                label: `${run}, largest`,
                class: 'extent',
                width: 0,
                points: { show: false },
                spanGaps: true,
                value: shown,
              },
            ]
          }),
        ],
        bands: series.map((_, i) => ({
          series: [3 * i + 3, 3 * i + 2] as [number, number],
          fill: `${colour(tones[i % tones.length]!)}33`,
        })),
        hooks: {
          setSelect: [
            plot => {
              const { left, width } = plot.select
              if (width > 4) zoomed([plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x')])
            },
          ],
          ready: [plot => plot.over.addEventListener('dblclick', () => zoomed(undefined))],
        },
      },
      data,
      this.#box,
    )
  }

  /** Arrows move the cursor, Enter opens what is there. */
  #walk(event: KeyboardEvent): void {
    const last = this.#drawn.x.length - 1
    const from = this.#place < 0 ? (this.#plot?.cursor.idx ?? -1) : this.#place
    const to = {
      ...{ ArrowRight: Math.min(last, from + 1), ArrowLeft: Math.max(0, from - 1) },
      ...{ Home: 0, End: last },
    }[event.key]
    if (to !== undefined && this.#plot) {
      this.#place = to
      this.#plot.setCursor({ left: this.#plot.valToPos(this.#drawn.x[to]!, 'x'), top: 0 })
      announce(this.#texts(to).join(', '))
    } else if (event.key === 'Enter' || event.key === ' ') this.#open(from)
    else return
    event.preventDefault()
  }

  #texts(place: number): string[] {
    const { x, series, xName } = this.#drawn
    return [
      `${xName} ${short(x[place])}`,
      ...series.map(({ run, values }) => `${run} ${values[0]![place] === null ? 'missing' : short(values[0]![place])}`),
    ]
  }

  /** Says where the values at a place are from: of each run the record that is the last of its part, and the part's ends. */
  #open(place: number | null): void {
    const { x, series, xName } = this.#drawn
    const at = x[place ?? -1]
    if (at === undefined) return
    const row = `.${xName}==${at}`
    tell(
      {
        ...{ name: this.#title, value: '' },
        facts: [
          [xName, String(at)],
          ...series.flatMap(({ run, values }): [string, string, string?][] => {
            const [last, least, most] = values.map(column => column[place!] ?? null)
            return last === null || last === undefined
              ? [[run, 'missing', `no record of ${run} ends a part here`]]
              : [
                  [run, String(last), `the last record of its part of the curve, from ${least} to ${most} within it`],
                  ['Get it', commandOf(`runs/${run}/metrics.jsonl`, row, this.#key)!],
                ]
          }),
          ['Split', 'training'],
          ['File', 'metrics.jsonl'],
          ['Row', row],
        ],
      },
      this.#box,
    )
  }
}

/** The last value of each part as a table, the newest two hundred. */
function tableOf(
  along: readonly number[],
  series: readonly { run: string; values: (number | null)[][] }[],
  x: string,
): HTMLElement {
  const table = element('table')
  const head = table.createTHead().insertRow()
  for (const name of [x, ...series.map(({ run }) => run)])
    head.append(element('th', { text: name, scope: 'col', class: 'number' }))
  const body = table.createTBody()
  for (let i = Math.max(0, along.length - 200); i < along.length; i++) {
    const row = body.insertRow()
    for (const value of [along[i]!, ...series.map(({ values }) => values[0]![i]!)])
      row.append(
        element('td', {
          class: 'number',
          text: value === null ? 'missing' : short(value),
          'data-value': value === null ? '' : String(value),
        }),
      )
  }
  return element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Table of the curve' }, table)
}

/** Follows the runs of the page. */
async function follow(place: HTMLElement): Promise<void> {
  const runs = JSON.parse(place.dataset.runs!) as string[]
  const titles = JSON.parse(place.dataset.titles!) as Record<string, string>
  const x = place.dataset.x!
  if (runs.length === 0) return
  let range: readonly [number, number] | undefined
  const panels = new Map<string, Panel>()
  const note = element('p', { class: 'soft whole-row', role: 'status' })
  const draw = async () => {
    const known = await load(runs, x, Math.max(100, Math.floor(place.clientWidth / 2)), range)
    const keys = Object.keys(titles).filter(key => known.some(({ curves }) => curves.has(key)))
    if (panels.size === 0) place.replaceChildren(note)
    for (const key of keys) {
      if (!panels.has(key)) panels.set(key, new Panel(place, key, titles[key]!))
      panels.get(key)!.draw(known, x, next => {
        range = next
        draw().catch(problem)
      })
    }
    const resumed = known
      .filter(({ resumed }) => resumed.length > 0)
      .map(({ run }) => `${run} went on from a checkpoint`)
    const running = known.filter(({ status }) => status === 'running').map(({ run }) => `${run} runs`)
    note.textContent = [
      ...running,
      ...resumed,
      'Drag to look closer, double-click to see all. Shaded: least to largest value of each part.',
    ].join('. ')
  }
  const problem = (error: unknown) => announce(error instanceof Error ? error.message : String(error))
  await draw()
  performance.mark('interactive')
  let waiting: ReturnType<typeof setTimeout> | undefined
  const soon = () => {
    if (waiting !== undefined) return
    waiting = setTimeout(() => {
      waiting = undefined
      draw().catch(problem)
    }, patience)
  }
  const open = () => {
    const source = new EventSource(
      `/api/live?${new URLSearchParams(runs.map((run): [string, string] => ['run', run]))}`,
    )
    for (const event of ['metrics', 'reset']) source.addEventListener(event, soon)
    return source
  }
  let source: EventSource | undefined = document.visibilityState === 'visible' ? open() : undefined
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') {
      source ??= open()
      return soon()
    }
    source?.close()
    source = undefined
  })
  new ResizeObserver(soon).observe(place)
}

chooseByBox()
const place = document.getElementById('curves')
if (place) follow(place).catch(error => announce(error instanceof Error ? error.message : String(error)))
