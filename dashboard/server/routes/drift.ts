import { hashValue } from '../../../core/hash.ts'
import { unlikelyFirst } from '../../../runs/drift.ts'
import { drift } from '../../api/contracts/drift.ts'
import { pageOf } from '../../read/cursor.ts'
import { comparedStages, keptDrift } from '../../read/drift.ts'
import { defineRoute } from '../route.ts'

export default defineRoute(drift, async ({ runs }, { query }) => {
  const base = await runs.finished(query.base, ...comparedStages)
  const now = await runs.finished(query.now, ...comparedStages)
  const kept = await keptDrift(runs, base, now, query.run)
  const { schema: _, a, b, cells, ...found } = kept.drift
  const tag = hashValue([kept.run.manifest.sha256, kept.runs])
  return {
    tag,
    value() {
      const page = pageOf(unlikelyFirst(cells), query, tag)
      return {
        ...{ run: kept.run.manifest.id, runs: [...kept.runs], base: a.id, now: b.id },
        ...{ ...found, cells: page.entries, total: page.total, next: page.next },
      }
    },
  }
})
