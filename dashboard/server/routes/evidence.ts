/** Evidence of a validate run: whole, as rows of tests, and the raw values that it follows from. */
import { hashValue } from '../../../core/hash.ts'
import { effectsSchema, readEvidence } from '../../../validation/evidence.ts'
import { effects, evidence, tests } from '../../api/contracts/evidence.ts'
import { pageOf } from '../../read/cursor.ts'
import type { Test } from '../../read/filter.ts'
import { redacted } from '../../read/redact.ts'
import { columnsFor, select } from '../../read/select.ts'
import { testRows } from '../../read/tests.ts'
import { defineRoute, type Sources } from '../route.ts'

async function find({ runs }: Sources, id: string) {
  const run = await runs.finished(id, 'validate')
  return { run, evidence: await runs.kept(run, 'evidence.json', readEvidence) }
}

export const evidenceRoute = defineRoute(evidence, async (sources, { parts }) => {
  const { run, evidence } = await find(sources, parts.run!)
  return { tag: run.manifest.sha256, value: () => ({ ...evidence, config: redacted(evidence.config) }) }
})

export const testsRoute = defineRoute(tests, async (sources, { parts, query }) => {
  const { run, evidence } = await find(sources, parts.run!)
  const { feature, kind, ...asked } = query
  const all = await sources.runs.kept(run, 'evidence.json', async () => testRows(evidence, run), 'tests')
  const chosen = all.filter(
    test => (feature === undefined || test.feature === feature) && (kind.length === 0 || kind.includes(test.kind)),
  )
  const page = pageOf(chosen, asked, hashValue([run.manifest.sha256, feature, kind]))
  return {
    tag: run.manifest.sha256,
    value: () => ({ tests: page.entries, total: page.total, next: page.next, definitions: evidence.definitions }),
  }
})

export const effectsRoute = defineRoute(effects, async ({ runs }, { parts, query }) => {
  const run = await runs.finished(parts.run!, 'validate')
  const { feature, control, intervention, where, cursor, offset, limit } = query
  const table = await runs.table(run, 'effects.parquet', effectsSchema, ['feature', 'control', 'intervention'])
  await table.load(columnsFor(table, { where }))
  const equals: Test[] = []
  for (const [name, wanted] of Object.entries({ control, intervention })) {
    const column = wanted === undefined ? undefined : table.column(name)
    if (column) equals.push(row => column.kind === 'text' && column.text(row) === wanted)
  }
  const conditions = feature === undefined ? where : [`feature=${feature}`, ...where]
  const rows = select(table, { where: conditions, tests: equals })
  const page = pageOf(
    rows,
    { cursor, offset, limit },
    hashValue([run.manifest.sha256, feature, control, intervention, where]),
  )
  return {
    tag: run.manifest.sha256,
    value: async () => ({
      effects: await table.records(page.entries),
      total: page.total,
      next: page.next,
    }),
    arrow: () => table.take(page.entries, table.names),
  }
})
