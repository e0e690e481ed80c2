import { z } from 'zod'
import { readTable } from '../../../datasets/tables.ts'
import { labelsSchema } from '../../../labels/feature.ts'
import { type Columns, rowOf, select } from '../../read/select.ts'
import { defineRoute, type Sources } from '../route.ts'

/** features.parquet of a label run, as columns. */
export async function featureColumns({ runs }: Sources, id: string): Promise<{ columns: Columns; sha256: string }> {
  const run = await runs.finished(id, 'label')
  const columns = await runs.kept(run, 'features.parquet', path => readTable(path, { schema: labelsSchema }))
  return { columns, sha256: run.manifest.sha256! }
}

export default defineRoute({
  path: '/api/runs/{run}/features',
  summary: 'Features of a label run: filtered, sorted, a page at a time',
  query: z.strictObject({
    where: z
      .union([z.string(), z.array(z.string())])
      .default([])
      .transform(value => (Array.isArray(value) ? value : [value]))
      .describe('Conditions that all must hold: density>=0.001, verdict=pass, label~apple, promoted_tokens~red'),
    sort: z.string().optional().describe('A column; -column for the largest first'),
    offset: z.coerce.number().int().min(0).default(0).describe('Features to leave out'),
    limit: z.coerce.number().int().min(1).max(10_000).default(100).describe('Features to give at most'),
  }),
  answer: z.strictObject({ features: z.array(z.record(z.string(), z.unknown())), total: z.int() }),
  table: 'features',
  async handle(sources, { run }, query) {
    const { columns, sha256 } = await featureColumns(sources, run!)
    const { rows, total } = select(columns, query)
    return { value: { features: rows.map(row => rowOf(columns, row)), total }, tag: sha256 }
  },
})
