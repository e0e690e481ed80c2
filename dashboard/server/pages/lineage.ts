/** Answers about lineage as what the chart takes. */
import type { z } from 'zod'
import type { LineageEdge, LineageNode } from '../../api/contracts/runs.ts'
import type { LineageData } from '../../charts/index.ts'

interface Graph {
  readonly nodes: readonly z.infer<typeof LineageNode>[]
  readonly edges: readonly z.infer<typeof LineageEdge>[]
}

/** Nodes that are runs lead to their pages. */
export function graphData({ nodes, edges }: Graph, focus: string | null): LineageData {
  return {
    nodes: nodes.map(({ id, kind, status, stale }) => ({
      ...{ id, kind, status, stale },
      href: status === null ? null : `/runs/${encodeURIComponent(id)}`,
    })),
    edges,
    focus,
  }
}
