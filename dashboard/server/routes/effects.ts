import { z } from 'zod'
import { readTable } from '../../../datasets/tables.ts'
import { effectsSchema } from '../../../validation/evidence.ts'
import { rowOf, select } from '../../read/select.ts'
import { defineRoute } from '../route.ts'

export default defineRoute({
  path: '/api/runs/{run}/effects',
  summary: 'Raw values of a validate run: a row an edit of a document',
  query: z.strictObject({
    feature: z.coerce.number().int().min(0).optional().describe('Only rows of this latent'),
    control: z.string().optional().describe('Only rows of this control, or `feature` for the latent itself'),
    offset: z.coerce.number().int().min(0).default(0).describe('Rows to leave out'),
    limit: z.coerce.number().int().min(1).max(100_000).default(1000).describe('Rows to give at most'),
  }),
  answer: z.strictObject({ effects: z.array(z.record(z.string(), z.unknown())), total: z.int() }),
  table: 'effects',
  async handle({ runs }, { run }, { feature, control, offset, limit }) {
    const found = await runs.finished(run!, 'validate')
    const columns = await runs.kept(found, 'effects.parquet', path => readTable(path, { schema: effectsSchema }))
    const where = [
      ...(feature === undefined ? [] : [`feature=${feature}`]),
      ...(control === undefined ? [] : [`control=${control}`]),
    ]
    const { rows, total } = select(columns, { where, sort: undefined, offset, limit })
    return { value: { effects: rows.map(row => rowOf(columns, row)), total }, tag: found.manifest.sha256 }
  },
})
