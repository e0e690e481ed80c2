import { z } from 'zod'
import { readMetrics } from '../../read/metrics.ts'
import { defineRoute } from '../route.ts'

export default defineRoute({
  path: '/api/runs/{run}/metrics',
  summary: 'Metrics of a run, finished or running, from a byte on: ask again with the cursor of the answer',
  query: z.strictObject({
    cursor: z.coerce.number().int().min(0).default(0).describe('Where to go on: 0, or the cursor of the last answer'),
  }),
  answer: z.strictObject({
    records: z.array(z.record(z.string(), z.unknown())),
    cursor: z.int(),
    more: z.boolean(),
    status: z.string(),
  }),
  async handle({ runs }, { run }, { cursor }) {
    const found = await runs.find(run!)
    const part = await readMetrics(found, cursor)
    const { status, sha256 } = found.manifest
    return { value: { ...part, records: [...part.records], status }, tag: sha256 && `${sha256}-${cursor}` }
  },
})
