/** Runs of the store: the list, one manifest, what differs between two, and the graph of what was made from what. */
import { z } from 'zod'
import { RunManifest } from '../../../runs/run.ts'
import { pageEnd, pageOf, reads, several, whole } from '../contract.ts'

/** A run in a list. */
export const RunLine = RunManifest.pick({
  id: true,
  stage: true,
  status: true,
  started: true,
  finished: true,
  seed: true,
  summary: true,
}).extend({
  /** The site that it is about, where its stage has one. */
  site: z.string().nullable(),
  /** Name or folder of its model, where that is known. */
  model: z.string().nullable(),
  /** Architecture of the SAE that it trained or imported. */
  architecture: z.string().nullable(),
  latents: z.int().nullable(),
  /** Hash of stage, settings and inputs without the seed: runs with the same differ by the seed alone. */
  settings: z.string(),
})
export type RunLine = z.infer<typeof RunLine>

/** A folder of the store whose manifest cannot be read, and why. */
export const Unreadable = z.strictObject({ directory: z.string(), reason: z.string() })

export const runs = reads({
  name: 'runs',
  path: '/api/runs',
  summary: 'Runs of the store, newest first, and folders that cannot be read',
  query: z.strictObject({
    stage: z.string().optional().describe('Only runs of this stage'),
    status: RunManifest.shape.status.optional().describe('Only runs of this status'),
    where: several.describe('Conditions on columns and figures that all must hold: fvu<0.07 and stage=train'),
    sort: z.string().optional().describe('A column or figure; -column for the largest first (default: newest first)'),
    offset: whole(0, 1e9).optional().describe('Runs to leave out; not with a cursor'),
    ...pageOf(1000, 100),
  }),
  answer: z.strictObject({ runs: z.array(RunLine), ...pageEnd, unreadable: z.array(Unreadable) }),
})

export const run = reads({
  name: 'run',
  path: '/api/runs/{run}',
  summary: "A run's manifest: settings, inputs by hash, figures, files; secrets are left out",
  answer: RunManifest,
})

export const verify = reads({
  name: 'verify',
  path: '/api/runs/{run}/verify',
  summary: "Hashes a finished run's files again and says which are not what its manifest says",
  answer: z.strictObject({
    files: z.int(),
    bytes: z.int(),
    problems: z.array(z.strictObject({ what: z.string(), problem: z.string() })),
  }),
})

export const diff = reads({
  name: 'diff',
  path: '/api/runs/{run}/diff',
  summary: 'Where two runs differ: stage, seed, engine, versions, settings, inputs, figures and files',
  query: z.strictObject({ with: z.string().describe('The other run') }),
  answer: z.strictObject({
    a: z.string(),
    b: z.string(),
    /** Null where a run has no such key. */
    differences: z.array(z.strictObject({ key: z.string(), a: z.unknown(), b: z.unknown() })),
    /** How many keys are equal. */
    same: z.int(),
  }),
})

export const LineageNode = z.strictObject({
  id: z.string(),
  /** The stage, or what an input that is no run is: `model`, `dataset` … */
  kind: z.string(),
  status: z.string().nullable(),
  started: z.string().nullable(),
  /** Columns from the left: 0 for what is made from nothing in the store. */
  layer: z.int(),
  /** Whether it, or something it was made from, was made from an input that is another by now. */
  stale: z.boolean(),
})
export const LineageEdge = z.strictObject({
  from: z.string(),
  to: z.string(),
  role: z.string(),
  /**
   * Whether the input is what it was when the run was made from it, by content hash. Files are hashed again only where `verify`
   * asks for it: without, `file` says that one is there and `missing` that it is not.
   */
  state: z.enum(['same', 'changed', 'missing', 'file']),
})
const Graph = z.strictObject({ nodes: z.array(LineageNode), edges: z.array(LineageEdge) })

export const lineage = reads({
  name: 'lineage',
  path: '/api/runs/{run}/lineage',
  summary: 'What a run was made from and what was made from it, with inputs that changed or are gone',
  query: z.strictObject({
    hops: whole(1, 1000).default(1000).describe('How far to go from the run, either way'),
  }),
  answer: Graph,
})

export const graph = reads({
  name: 'graph',
  path: '/api/lineage',
  summary: 'The graph of all runs of the store',
  query: z.strictObject({ limit: whole(1, 5000).default(1000).describe('Newest runs to give at most') }),
  answer: Graph.extend({ total: z.int() }),
})
