/** The sparsity–fidelity frontier as an SVG file that stands alone: L0 against FVU, both logarithmic, a line a method. */
import { logScale } from '../dashboard/charts/scale.ts'

export interface Frontier {
  readonly name: string
  /** [L0, FVU], in the order of L0. */
  readonly points: readonly (readonly [number, number])[]
}

const width = 680
const height = 420
const box = { left: 64, right: 116, top: 54, bottom: 52 }
const colours = ['#0284c7', '#ea580c', '#16a34a', '#8b5cf6', '#64748b', '#db2777']
const peerColour = '#6b7280'

/** A point of another program. */
export interface Peer {
  readonly name: string
  readonly l0: number
  readonly fvu: number
}

/** The plot as the text of an SVG file, for light and dark pages; peers are hollow marks, named under the title. */
export function frontierPlot(title: string, frontiers: readonly Frontier[], peers: readonly Peer[]): string {
  const all = [...frontiers.flatMap(({ points }) => points), ...peers.map(({ l0, fvu }) => [l0, fvu] as const)]
  const x = logScale(
    Math.min(...all.map(([l0]) => l0)) / 1.1,
    Math.max(...all.map(([l0]) => l0)) * 1.1,
    box.left,
    width - box.right,
  )
  const y = logScale(
    Math.min(...all.map(([, fvu]) => fvu)) / 1.15,
    Math.max(...all.map(([, fvu]) => fvu)) * 1.15,
    height - box.bottom,
    box.top,
  )
  const ends = labelPlaces(frontiers.map(({ points }) => y.place(points.at(-1)![1])))
  const marks = frontiers.map(({ name, points }, i) => {
    const colour = colours[i % colours.length]!
    const places = points.map(([l0, fvu]) => [round(x.place(l0)), round(y.place(fvu))] as const)
    const dots = places.map(
      ([px, py], j) =>
        `<circle cx="${px}" cy="${py}" r="4" fill="${colour}"><title>${name}: L0 ${points[j]![0].toFixed(1)}, FVU ${points[j]![1].toFixed(4)}</title></circle>`,
    )
    const line = `<polyline fill="none" stroke="${colour}" stroke-width="1.8" points="${places.map(place => place.join(',')).join(' ')}"/>`
    const [endX] = places.at(-1)!
    return `${line}${dots.join('')}<text x="${endX + 10}" y="${round(ends[i]! + 4)}" fill="${colour}" font-weight="600">${name}</text>`
  })
  const hollow = (px: number, py: number, text = '') =>
    `<circle cx="${px}" cy="${py}" r="4.5" fill="none" stroke="${peerColour}" stroke-width="1.6">${text}</circle>`
  const others = peers.map(({ name, l0, fvu }) =>
    hollow(round(x.place(l0)), round(y.place(fvu)), `<title>${name}: L0 ${l0}, FVU ${fvu}</title>`),
  )
  const key =
    peers.length === 0
      ? ''
      : `${hollow(box.left + 5, 36)}<text class="tick" x="${box.left + 15}" y="40">${peers.map(({ name }) => name).join(', ')}</text>`
  const rows = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5].filter(tick =>
    inside(y.place(tick), box.top, height - box.bottom),
  )
  const columns = [2, 4, 8, 16, 32, 64, 128].filter(tick => inside(x.place(tick), box.left, width - box.right))
  const grid = [
    ...rows.map(tick => {
      const place = round(y.place(tick))
      return `<line class="grid" x1="${box.left}" x2="${width - box.right}" y1="${place}" y2="${place}"/><text class="tick" x="${box.left - 8}" y="${place + 4}" text-anchor="end">${tick}</text>`
    }),
    ...columns.map(tick => {
      const place = round(x.place(tick))
      return `<line class="grid" x1="${place}" x2="${place}" y1="${box.top}" y2="${height - box.bottom}"/><text class="tick" x="${place}" y="${height - box.bottom + 18}" text-anchor="middle">${tick}</text>`
    }),
  ]
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}" font-family="system-ui, sans-serif" font-size="12">
<style>svg{background:#fff}.grid{stroke:#e5e7eb}.tick{fill:#6b7280}.axis,.title{fill:#111827}@media(prefers-color-scheme:dark){svg{background:#111827}.grid{stroke:#374151}.tick{fill:#9ca3af}.axis,.title{fill:#f3f4f6}}</style>
<text class="title" x="${box.left}" y="22" font-size="14" font-weight="600">${title}</text>
${grid.join('\n')}
${marks.join('\n')}
${others.join('\n')}${key}
<text class="axis" x="${(box.left + width - box.right) / 2}" y="${height - 12}" text-anchor="middle">L0: latents a row, held out</text>
<text class="axis" transform="translate(18 ${(box.top + height - box.bottom) / 2}) rotate(-90)" text-anchor="middle">FVU, held out (lower is better)</text>
</svg>
`
}

/** Places for labels near the wanted ones, at least a line apart. */
function labelPlaces(wanted: readonly number[]): number[] {
  const places = [...wanted]
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a]! - wanted[b]!)
  for (let i = 1; i < order.length; i++) {
    const [above, here] = [order[i - 1]!, order[i]!]
    places[here] = Math.max(places[here]!, places[above]! + 14)
  }
  return places
}

const inside = (place: number, low: number, high: number) => place >= low - 0.5 && place <= high + 0.5
const round = (value: number) => Number(value.toFixed(1))
