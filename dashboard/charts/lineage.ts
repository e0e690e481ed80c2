/** Lineage: runs and files from left to right by what was made from what, each a link; changed, stale and missing inputs marked. */
import { visible } from '../../core/visible.ts'
import { escapeHtml, shown } from '../html.ts'
import { at, type Chart, fitted } from './chart.ts'

export interface LineageNode {
  readonly id: string
  /** The stage, or what an input that is no run is. */
  readonly kind: string
  readonly status: string | null
  /** Whether something that it was made from is another by now. */
  readonly stale: boolean
  /** Address of its page; null where it has none. */
  readonly href: string | null
}

export interface LineageEdge {
  readonly from: string
  readonly to: string
  readonly role: string
  /** same, changed, missing, file. */
  readonly state: string
}

export interface LineageData {
  readonly nodes: readonly LineageNode[]
  readonly edges: readonly LineageEdge[]
  /** The node that it is about. */
  readonly focus: string | null
}

const box = { width: 148, height: 40 }
const gap = { x: 44, y: 14 }
const margin = 6

/** The column of each node: one more than the farthest of those it was made from. A circle counts no further round. */
export function layersOf({ nodes, edges }: Pick<LineageData, 'nodes' | 'edges'>): Map<string, number> {
  const layers = new Map(nodes.map(({ id }) => [id, 0]))
  for (let round = 0; round < nodes.length; round++) {
    let isStill = true
    for (const { from, to } of edges) {
      const [a, b] = [layers.get(from), layers.get(to)]
      if (a === undefined || b === undefined || b > a || a + 1 >= nodes.length) continue
      layers.set(to, a + 1)
      isStill = false
    }
    if (isStill) break
  }
  // What nothing leads to stands right before what is made from it.
  for (const { id } of nodes) {
    if (edges.some(({ to }) => to === id)) continue
    const next = edges.filter(({ from }) => from === id).map(({ to }) => layers.get(to) ?? 0)
    if (next.length > 0) layers.set(id, Math.max(0, Math.min(...next) - 1))
  }
  return layers
}

function placesOf(data: LineageData): Map<string, { x: number; y: number }> {
  const layers = layersOf(data)
  const filled = new Map<number, number>()
  return new Map(
    data.nodes.map(({ id }) => {
      const layer = layers.get(id) ?? 0
      const row = filled.get(layer) ?? 0
      filled.set(layer, row + 1)
      return [id, { x: margin + layer * (box.width + gap.x), y: margin + row * (box.height + gap.y) }]
    }),
  )
}

const stale = ({ state }: LineageEdge) => state === 'changed' || state === 'missing'

export const lineage: Chart<LineageData> = {
  name: 'lineage',
  isInteractive: true,
  size(data) {
    const places = [...placesOf(data).values()]
    return {
      width: Math.max(...places.map(({ x }) => x), 0) + box.width + margin,
      height: Math.max(...places.map(({ y }) => y), 0) + box.height + margin,
    }
  },
  isEmpty: ({ nodes }) => nodes.length === 0,
  summary({ nodes, edges }) {
    const old = edges.filter(stale)
    return `${nodes.length} runs and inputs, ${edges.length} steps between them; ${old.length === 0 ? 'every input is what it was' : `${old.length} inputs are not what they were`}.`
  },
  draw(data) {
    const places = placesOf(data)
    const edges = data.edges.flatMap(edge => {
      const [a, b] = [places.get(edge.from), places.get(edge.to)]
      if (!a || !b) return []
      const [x0, y0, x1, y1] = [a.x + box.width, a.y + box.height / 2, b.x, b.y + box.height / 2]
      const bend = at((x0 + x1) / 2)
      return `<path class="edge ${shown(edge.state, 20)}" data-from="${shown(edge.from)}" data-to="${shown(edge.to)}" d="M${at(x0)} ${at(y0)}C${bend} ${at(y0)} ${bend} ${at(y1)} ${at(x1)} ${at(y1)}"><title>${shown(edge.role)}: ${shown(edge.from)} → ${shown(edge.to)}, ${shown(edge.state, 20)}</title></path>`
    })
    const nodes = data.nodes.map(node => nodeOf(node, places.get(node.id)!, data))
    return `${edges.join('')}${nodes.join('')}`
  },
  table: ({ edges }) => ({
    columns: ['From', 'To', 'Role', 'State'],
    rows: edges.map(({ from, to, role, state }) => [from, to, role, state]),
  }),
}

function nodeOf(node: LineageNode, { x, y }: { x: number; y: number }, { focus, edges }: LineageData): string {
  const isOld = node.stale || edges.some(edge => edge.to === node.id && stale(edge))
  const isGone = edges.some(edge => edge.from === node.id && edge.state === 'missing')
  const state = isGone ? ' missing' : isOld ? ' stale' : ''
  const word = isGone ? 'missing' : isOld ? 'stale' : node.status && node.status !== 'finished' ? node.status : ''
  const content = `<rect class="node${node.href === null ? ' file' : ''}${state}${node.id === focus ? ' focus' : ''}" x="${at(x)}" y="${at(y)}" width="${box.width}" height="${box.height}" rx="6"/><text class="label" x="${at(x + 8)}" y="${at(y + 17)}">${escapeHtml(fitted(visible(node.id), box.width - 14))}</text><text class="soft" x="${at(x + 8)}" y="${at(y + 32)}">${escapeHtml(fitted(visible(node.kind), 90))}${word ? ` · ${shown(word, 20)}` : ''}</text><title>${shown(`${node.kind} ${node.id}${word ? `, ${word}` : ''}`, 200)}</title>`
  return node.href === null
    ? `<g class="node-of">${content}</g>`
    : `<a class="node-of" data-id="${shown(node.id)}" href="${shown(node.href, 1000)}">${content}</a>`
}
