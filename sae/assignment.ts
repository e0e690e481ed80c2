/** One-to-one matching of rows and columns with the largest sum of values. */

/**
 * Exact matching by shortest augmenting paths (Jonker and Volgenant 1987) over a matrix of values [n, m], row by row: the
 * column of each row, −1 where there are fewer columns than rows. Columns that are free and best for one row are taken
 * first, so that only contested rows cost a search.
 */
export function assignLargest(values: Float32Array, n: number, m: number): Int32Array {
  if (n > m) {
    const turned = new Float32Array(values.length)
    for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) turned[j * n + i] = values[i * m + j]!
    const rows = new Int32Array(n).fill(-1)
    assignLargest(turned, m, n).forEach((i, j) => {
      rows[i] = j
    })
    return rows
  }
  // Costs are −value. u and v are the dual prices: cost − u − v is never negative, and 0 along the matching.
  const columnOf = new Int32Array(n).fill(-1)
  const rowOf = new Int32Array(m).fill(-1)
  const u = new Float64Array(n)
  const v = new Float64Array(m)
  for (let i = 0; i < n; i++) {
    let best = 0
    for (let j = 1; j < m; j++) if (values[i * m + j]! > values[i * m + best]!) best = j
    u[i] = -values[i * m + best]!
    if (rowOf[best] === -1) {
      rowOf[best] = i
      columnOf[i] = best
    }
  }
  const distance = new Float64Array(m)
  const from = new Int32Array(m)
  const settled = new Uint8Array(m)
  for (let start = 0; start < n; start++) {
    if (columnOf[start] !== -1) continue
    distance.fill(Number.POSITIVE_INFINITY)
    settled.fill(0)
    const visited: number[] = []
    let row = start
    let reached = 0
    let end = -1
    while (end < 0) {
      let next = -1
      let least = Number.POSITIVE_INFINITY
      const base = row * m
      for (let j = 0; j < m; j++) {
        if (settled[j]) continue
        const through = reached - values[base + j]! - u[row]! - v[j]!
        if (through < distance[j]!) {
          distance[j] = through
          from[j] = row
        }
        if (distance[j]! < least) {
          least = distance[j]!
          next = j
        }
      }
      reached = least
      settled[next] = 1
      if (rowOf[next] === -1) end = next
      else {
        visited.push(next)
        row = rowOf[next]!
      }
    }
    u[start]! += reached
    for (const j of visited) {
      u[rowOf[j]!]! += reached - distance[j]!
      v[j]! -= reached - distance[j]!
    }
    for (let j = end; ; ) {
      const i = from[j]!
      const before = columnOf[i]!
      rowOf[j] = i
      columnOf[i] = j
      if (i === start) break
      j = before
    }
  }
  return columnOf
}

/** Greedy matching among each row's nearest columns, largest value first; −1 where all of them are taken. */
export function assignNearest(
  { index, value, count }: { index: Int32Array; value: Float32Array; count: number },
  n: number,
  m: number,
): Int32Array {
  const order = Uint32Array.from({ length: n * count }, (_, i) => i).sort((a, b) => value[b]! - value[a]! || a - b)
  const columnOf = new Int32Array(n).fill(-1)
  const taken = new Uint8Array(m)
  for (const pair of order) {
    const i = Math.floor(pair / count)
    if (columnOf[i] !== -1 || taken[index[pair]!]) continue
    columnOf[i] = index[pair]!
    taken[index[pair]!] = 1
  }
  return columnOf
}
