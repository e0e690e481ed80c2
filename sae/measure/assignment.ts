/** One-to-one matching of rows and columns with the largest sum of values. */

/** Work in pieces, between which its caller may let signals in. */
export type Pieces<T> = Generator<void, T, void>

/** Does work in pieces without a pause. */
export function atOnce<T>(pieces: Pieces<T>): T {
  let piece = pieces.next()
  while (!piece.done) piece = pieces.next()
  return piece.value
}

/** The exact matching, at once: the column of each row, −1 where there are fewer columns than rows. */
export function assignLargest(values: Float32Array, n: number, m: number): Int32Array {
  return atOnce(largestMatching(values, n, m))
}

/**
 * Exact matching by shortest augmenting paths (Jonker and Volgenant 1987) over a matrix of finite values [n, m], row by row.
 * Columns that are free and best for one row are taken first, so that only contested rows cost a search: a piece of work,
 * of at most n steps.
 */
export function* largestMatching(values: Float32Array, n: number, m: number): Pieces<Int32Array> {
  if (n > m) {
    const turned = new Float32Array(values.length)
    for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) turned[j * n + i] = values[i * m + j]!
    const rows = new Int32Array(n).fill(-1)
    const columns = yield* largestMatching(turned, m, n)
    columns.forEach((i, j) => {
      rows[i] = j
    })
    return rows
  }
  requireFinite(values)
  const matching = favourites(values, n, m)
  const { columnOf, rowOf, u, v } = matching
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
      // Each round settles a column, and the last one that is left is free.
      if (visited.length >= m) throw new Error('A row found no free column.')
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
    turnOver(matching, from, start, end)
    yield
  }
  return columnOf
}

/** A matching so far, −1 for what is free, and its dual prices: with costs −value, cost − u − v is never negative, and 0 along it. */
interface Matching {
  readonly columnOf: Int32Array
  readonly rowOf: Int32Array
  readonly u: Float64Array
  readonly v: Float64Array
}

/** Each row with the best of its columns, where no row before took it. */
function favourites(values: Float32Array, n: number, m: number): Matching {
  const columnOf = new Int32Array(n).fill(-1)
  const rowOf = new Int32Array(m).fill(-1)
  const u = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    let best = 0
    for (let j = 1; j < m; j++) if (values[i * m + j]! > values[i * m + best]!) best = j
    u[i] = -values[i * m + best]!
    if (rowOf[best] === -1) {
      rowOf[best] = i
      columnOf[i] = best
    }
  }
  return { columnOf, rowOf, u, v: new Float64Array(m) }
}

/** Gives each row on the path from `start` to the free column `end` the column after it. */
function turnOver({ columnOf, rowOf }: Matching, from: Int32Array, start: number, end: number): void {
  for (let j = end, row = -1; row !== start; ) {
    row = from[j]!
    const before = columnOf[row]!
    rowOf[j] = row
    columnOf[row] = j
    j = before
  }
}

/** A value that is no number is smaller and larger than none, and a search for the best would never end. */
function requireFinite(values: Float32Array): void {
  const wrong = values.findIndex(value => !Number.isFinite(value))
  if (wrong >= 0) throw new Error(`A matching needs finite values, and value ${wrong} is ${values[wrong]}.`)
}

/** The nearest columns of each row: `count` of them a row, by falling value. */
export interface Nearest {
  readonly index: Int32Array
  readonly value: Float32Array
  readonly count: number
}

/** A matching, and a sum that no one-to-one matching of the whole matrix exceeds. */
export interface Bounded {
  readonly match: Int32Array
  readonly upper: number
}

/** The matching by auction, at once. */
export function assignBounded(nearest: Nearest, n: number, m: number, step?: number): Bounded {
  return atOnce(boundedMatching(nearest, n, m, step))
}

/** Bids between pauses. */
const bidsAtOnce = 4096

/**
 * Matching by auction (Bertsekas 1988) where only the nearest columns of each row are known; n rows, at least as many
 * columns m, values of 0 or more. Rows bid for columns in steps of `step` beyond what the second best is worth to them; a
 * row whose best is worth no more than what it may find among the columns that are not listed gives up, and is given a
 * column that is left.
 *
 * Prices v of columns, 0 for those nobody asked for, and u of rows, the most that a row can get, bound every matching by
 * Σu + Σv (linear programming duality). For a pair that is not listed that holds since u is at least the smallest value
 * listed. Where no row gives up, the matching is within n · `step` of the best there is.
 */
export function* boundedMatching({ index, value, count }: Nearest, n: number, m: number, step = 1e-4): Pieces<Bounded> {
  requireFinite(value)
  const top = value.reduce((largest, each) => Math.max(largest, each), 0)
  if (step < top * 2 ** -40) throw new Error(`A step of ${step} is lost in values of ${top}.`)
  // A bid raises a price by a step at least, and no price rises above what the dearest column is worth.
  let bids = m * (Math.ceil(top / step) + 2)
  const match = new Int32Array(n).fill(-1)
  const rowOf = new Int32Array(m).fill(-1)
  const prices = new Float64Array(m)
  /** What a row may get, at most, from columns that are not listed. */
  const elsewhere = (i: number) => (count < m ? value[(i + 1) * count - 1]! : 0)
  const gaveUp: number[] = []
  const bidders = Array.from({ length: n }, (_, i) => n - 1 - i)
  for (let row = bidders.pop(); row !== undefined; row = bidders.pop()) {
    let best = -1
    let most = elsewhere(row)
    let second = most
    for (let e = row * count; e < (row + 1) * count; e++) {
      const worth = value[e]! - prices[index[e]!]!
      if (worth > most) {
        second = most
        most = worth
        best = index[e]!
      } else if (worth > second) second = worth
    }
    if (--bids < 0) throw new Error('The auction does not end.')
    if (bids % bidsAtOnce === 0) yield
    if (best < 0) {
      gaveUp.push(row)
      continue
    }
    const before = rowOf[best]!
    if (before >= 0) {
      match[before] = -1
      bidders.push(before)
    }
    rowOf[best] = row
    match[row] = best
    prices[best]! += most - second + step
  }
  let upper = 0
  for (const price of prices) upper += price
  for (let i = 0; i < n; i++) {
    let most = elsewhere(i)
    for (let e = i * count; e < (i + 1) * count; e++) most = Math.max(most, value[e]! - prices[index[e]!]!)
    upper += most
  }
  // A sum of the largest values is a bound as well, and a better one where many rows like different columns.
  let largest = 0
  for (let i = 0; i < n; i++) largest += value[i * count]!
  giveRest({ index, value, count }, gaveUp, match, rowOf)
  return { match, upper: Math.min(upper, largest) }
}

/** Gives rows that have no column the nearest that is free, by falling value, and any where none of theirs is. */
function giveRest({ index, value, count }: Nearest, rows: number[], match: Int32Array, rowOf: Int32Array): void {
  const pairs = rows.flatMap(row => Array.from({ length: count }, (_, e) => row * count + e))
  for (const pair of pairs.sort((a, b) => value[b]! - value[a]! || a - b)) {
    const row = Math.floor(pair / count)
    if (match[row] !== -1 || rowOf[index[pair]!] !== -1) continue
    match[row] = index[pair]!
    rowOf[index[pair]!] = row
  }
  let free = 0
  for (const row of rows) {
    if (match[row] !== -1) continue
    while (rowOf[free] !== -1) free++
    match[row] = free
    rowOf[free] = row
  }
}
