/** The graph of manifests as a picture needs it: nodes in layers, edges with what became of each input, and what is stale. */
import { stat } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import type { z } from 'zod'
import { readRunManifest } from '../../runs/folder.ts'
import type { RunInput, RunManifest } from '../../runs/run.ts'
import type { LineageEdge, LineageNode } from '../api/contracts/runs.ts'
import type { Runs } from './runs.ts'

export interface Graph {
  readonly nodes: z.output<typeof LineageNode>[]
  readonly edges: z.output<typeof LineageEdge>[]
}

type Edge = Graph['edges'][number]

/** The whole graph of these manifests and of what they were made from. */
export async function graphOf(runs: Runs, manifests: readonly RunManifest[]): Promise<Graph> {
  const known = new Map(manifests.map(manifest => [manifest.id, manifest]))
  const others = new Map<string, { kind: string }>()
  const states = new Map<string, Promise<Edge['state']>>()
  const edges: Edge[] = []
  for (const manifest of manifests)
    for (const input of manifest.inputs) {
      const from = input.run ?? input.path ?? input.role
      const key = `${from} ${input.sha256}`
      const state = states.get(key) ?? stateOf(runs, known, input)
      states.set(key, state)
      if (!known.has(from)) others.set(from, { kind: input.run === undefined ? input.role : 'run' })
      edges.push({ from, to: manifest.id, role: input.role, state: await state })
    }
  const layers = layersOf([...known.keys(), ...others.keys()], edges)
  const stale = staleOf(edges)
  return {
    nodes: [
      ...[...known.values()].map(({ id, stage, status, started }) => ({
        ...{ id, kind: stage, status, started },
        ...{ layer: layers.get(id)!, stale: stale.has(id) },
      })),
      ...[...others].map(([id, { kind }]) => ({
        ...{ id, kind, status: null, started: null },
        ...{ layer: layers.get(id)!, stale: false },
      })),
    ],
    edges,
  }
}

/** Whether an input is what it was: runs by content hash, in the store or where they were; files by being there. */
async function stateOf(runs: Runs, known: ReadonlyMap<string, RunManifest>, input: RunInput): Promise<Edge['state']> {
  if (input.run !== undefined) {
    const manifest = known.get(input.run) ?? (await manifestAt(input.path))
    if (!manifest) return 'missing'
    return runs.contentHash(manifest) === input.sha256 ? 'same' : 'changed'
  }
  // What is built in has a name and no place.
  if (input.path === undefined || !isAbsolute(input.path)) return 'file'
  return (await stat(input.path).catch(() => undefined)) ? 'file' : 'missing'
}

async function manifestAt(path: string | undefined): Promise<RunManifest | undefined> {
  if (path === undefined) return undefined
  // A damaged one is no longer what was recorded.
  return readRunManifest(path).catch(() => undefined)
}

/** The part of a graph within so many steps of a run, either way along the edges. */
export function around({ nodes, edges }: Graph, id: string, hops: number): Graph {
  const back = reach(edges, id, hops, ({ from, to }) => [to, from])
  const on = reach(edges, id, hops, ({ from, to }) => [from, to])
  const near = new Set([...back, ...on])
  return {
    nodes: nodes.filter(node => near.has(node.id)),
    edges: edges.filter(({ from, to }) => (back.has(from) && back.has(to)) || (on.has(from) && on.has(to))),
  }
}

function reach(edges: readonly Edge[], id: string, hops: number, along: (edge: Edge) => [string, string]): Set<string> {
  const next = new Map<string, string[]>()
  for (const edge of edges) {
    const [a, b] = along(edge)
    next.set(a, [...(next.get(a) ?? []), b])
  }
  const found = new Set([id])
  let front = [id]
  for (let hop = 0; hop < hops && front.length > 0; hop++) {
    front = [...new Set(front.flatMap(one => next.get(one) ?? []))].filter(one => !found.has(one))
    for (const one of front) found.add(one)
  }
  return found
}

/** The longest way from a node without inputs; what is in a circle, which no sound run is, counts as met already. */
function layersOf(ids: readonly string[], edges: readonly Edge[]): Map<string, number> {
  const inputs = new Map<string, string[]>()
  for (const { from, to } of edges) inputs.set(to, [...(inputs.get(to) ?? []), from])
  const layers = new Map<string, number>()
  const below = new Set<string>()
  const layer = (id: string): number => {
    const found = layers.get(id)
    if (found !== undefined) return found
    if (below.has(id)) return 0
    below.add(id)
    const made = Math.max(-1, ...(inputs.get(id) ?? []).map(layer)) + 1
    below.delete(id)
    layers.set(id, made)
    return made
  }
  for (const id of ids) layer(id)
  return layers
}

/** Runs that were made from an input that is another by now, or from such a run. */
function staleOf(edges: readonly Edge[]): Set<string> {
  const stale = new Set(edges.filter(({ state }) => state === 'changed').map(({ to }) => to))
  for (let before = -1; before < stale.size; ) {
    before = stale.size
    for (const { from, to } of edges) if (stale.has(from)) stale.add(to)
  }
  return stale
}
