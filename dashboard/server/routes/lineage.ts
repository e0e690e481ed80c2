import { z } from 'zod'
import { hashValue } from '../../../core/hash.ts'
import { type Ancestry, ancestry, descendants } from '../../../runs/lineage.ts'
import type { RunManifest } from '../../../runs/run.ts'
import { contentHash } from '../../../runs/seal.ts'
import { defineRoute } from '../route.ts'

const Node = z.strictObject({
  id: z.string(),
  /** The stage, or what an input that is no run is: `model`, `dataset` … */
  kind: z.string(),
  status: z.string().nullable(),
})
const Edge = z.strictObject({
  from: z.string(),
  to: z.string(),
  role: z.string(),
  /** Whether the input is what it was when the run was made from it; files are not hashed again for this. */
  state: z.enum(['same', 'changed', 'missing', 'file']),
})

export default defineRoute({
  path: '/api/runs/{run}/lineage',
  summary: 'What a run was made from and what was made from it, with inputs that changed since',
  query: z.strictObject({}),
  answer: z.strictObject({ nodes: z.array(Node), edges: z.array(Edge) }),
  async handle({ runs }, { run }) {
    const found = await runs.find(run!)
    const nodes = new Map<string, z.infer<typeof Node>>()
    const edges: z.infer<typeof Edge>[] = []
    const add = ({ id, stage, status }: RunManifest) => nodes.set(id, { id, kind: stage, status })
    const follow = ({ run, inputs }: Ancestry) => {
      if (nodes.has(run.manifest.id)) return
      add(run.manifest)
      for (const { input, from } of inputs) {
        const name = from?.run.manifest.id ?? input.run ?? input.path ?? input.role
        const missing = from === undefined && input.run !== undefined
        if (!from) nodes.set(name, { id: name, kind: missing ? 'run' : input.role, status: null })
        const state = from
          ? contentHash(from.run.manifest) === input.sha256
            ? ('same' as const)
            : ('changed' as const)
          : missing
            ? ('missing' as const)
            : ('file' as const)
        edges.push({ from: name, to: run.manifest.id, role: input.role, state })
        if (from) follow(from)
      }
    }
    follow(await ancestry(runs.store, found))
    for (const { manifest } of await descendants(runs.store, found.manifest.id)) {
      add(manifest)
      for (const input of manifest.inputs)
        if (input.run !== undefined && nodes.has(input.run)) {
          const from = await runs.find(input.run)
          const state = contentHash(from.manifest) === input.sha256 ? ('same' as const) : ('changed' as const)
          edges.push({ from: input.run, to: manifest.id, role: input.role, state })
        }
    }
    const value = { nodes: [...nodes.values()], edges }
    return { value, tag: hashValue(value) }
  },
})
