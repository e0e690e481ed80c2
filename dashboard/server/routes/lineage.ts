/** The graph of runs: around one, or of the whole store. */
import { hashValue } from '../../../core/hash.ts'
import { graph, lineage } from '../../api/contracts/runs.ts'
import { around, graphOf } from '../../read/graph.ts'
import { defineRoute } from '../route.ts'

export const lineageRoute = defineRoute(lineage, async ({ runs }, { parts, query }) => {
  const { manifest } = await runs.find(parts.run!)
  const listing = await runs.list()
  const value = around(
    await graphOf(
      runs,
      listing.runs.map(run => run.manifest),
    ),
    manifest.id,
    query.hops,
  )
  return { tag: hashValue(value), value: () => value }
})

export const graphRoute = defineRoute(graph, async ({ runs }, { query }) => {
  const listing = await runs.list()
  const newest = listing.runs.slice(-query.limit).map(run => run.manifest)
  const value = { ...(await graphOf(runs, newest)), total: listing.runs.length }
  return { tag: hashValue(value), value: () => value }
})
