/** The lineage graph under the pointer or focus: what a run was made from and what was made from it stands out. */

/** Everything that leads to `id` or that it leads to. */
function related(edges: readonly { readonly from: string; readonly to: string }[], id: string): Set<string> {
  const follow = (from: 'from' | 'to', to: 'from' | 'to') => {
    const found = new Set([id])
    for (let grown = true; grown; ) {
      grown = false
      for (const edge of edges)
        if (found.has(edge[from]) && !found.has(edge[to])) {
          found.add(edge[to])
          grown = true
        }
    }
    return found
  }
  return new Set([...follow('from', 'to'), ...follow('to', 'from')])
}

/** Makes graphs below `root` answer. */
export function followLineage(root: ParentNode): void {
  for (const svg of root.querySelectorAll<SVGSVGElement>('svg.lineage')) {
    const paths = [...svg.querySelectorAll<SVGPathElement>('.edge')]
    const edges = paths.map(({ dataset }) => ({ from: dataset.from!, to: dataset.to! }))
    const nodes = [...svg.querySelectorAll<SVGElement>('.node-of')]
    const mark = (id: string | undefined) => {
      const near = id === undefined ? undefined : related(edges, id)
      svg.classList.toggle('marking', near !== undefined)
      for (const [i, path] of paths.entries())
        path.classList.toggle('near', !!near?.has(edges[i]!.from) && near.has(edges[i]!.to))
      for (const node of nodes) node.classList.toggle('near', !!near?.has(node.dataset.id ?? ''))
    }
    for (const node of nodes) {
      const { id } = node.dataset
      if (id === undefined) continue
      for (const event of ['pointerenter', 'focus']) node.addEventListener(event, () => mark(id))
      for (const event of ['pointerleave', 'blur']) node.addEventListener(event, () => mark(undefined))
    }
  }
}
