import { z } from 'zod'
import { hashValue } from '../../../core/hash.ts'
import { RunManifest } from '../../../runs/run.ts'
import { defineRoute } from '../route.ts'

/** A run in a list. */
export const RunLine = RunManifest.pick({
  id: true,
  stage: true,
  status: true,
  started: true,
  finished: true,
  seed: true,
  summary: true,
})

export default defineRoute({
  path: '/api/runs',
  summary: 'Runs of the store, newest first, and folders that cannot be read',
  query: z.strictObject({
    stage: z.string().optional().describe('Only runs of this stage'),
    status: RunManifest.shape.status.optional().describe('Only runs of this status'),
    offset: z.coerce.number().int().min(0).default(0).describe('Runs to leave out'),
    limit: z.coerce.number().int().min(1).max(1000).default(100).describe('Runs to give at most'),
  }),
  answer: z.strictObject({
    runs: z.array(RunLine),
    total: z.int(),
    unreadable: z.array(z.strictObject({ directory: z.string(), reason: z.string() })),
  }),
  async handle({ runs }, _, { stage, status, offset, limit }) {
    const listing = await runs.list()
    const chosen = listing.runs
      .map(({ manifest }) => manifest)
      .filter(run => (stage === undefined || run.stage === stage) && (status === undefined || run.status === status))
      .reverse()
    const value = {
      runs: chosen.slice(offset, offset + limit).map(({ id, stage, status, started, finished, seed, summary }) => ({
        ...{ id, stage, status, started, finished, seed, summary },
      })),
      total: chosen.length,
      unreadable: [...listing.unreadable],
    }
    return { value, tag: hashValue(value) }
  },
})
