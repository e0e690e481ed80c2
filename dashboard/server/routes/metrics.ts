/** Metrics: records from a byte on, and curves in buckets. */
import { curves, metrics } from '../../api/contracts/metrics.ts'
import { curvesOf } from '../../read/curves.ts'
import { readMetrics } from '../../read/metrics.ts'
import { defineRoute } from '../route.ts'

export const metricsRoute = defineRoute(metrics, async ({ runs }, { parts, query }) => {
  const found = await runs.find(parts.run!)
  const { status, sha256 } = found.manifest
  return {
    tag: sha256 && `${sha256} ${query.cursor}`,
    async value() {
      const part = await readMetrics(found, query.cursor)
      return { ...part, records: [...part.records], status }
    },
  }
})

export const curvesRoute = defineRoute(curves, async ({ runs }, { parts, query }) => {
  const found = await runs.find(parts.run!)
  const { status, sha256 } = found.manifest
  return {
    tag: sha256,
    async value() {
      const read = () => runs.metrics.records(found)
      const records = status === 'finished' ? await runs.kept(found, 'metrics.jsonl', read) : await read()
      const { curves, ...rest } = curvesOf(records, { ...query, keys: query.key })
      return { x: query.x, ...rest, resumed: [...rest.resumed], curves: [...curves], status }
    },
  }
})
