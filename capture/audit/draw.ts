/**
 * Whether the draw did what it should. Tokens are taken independently of each other with known probabilities, so the
 * variance of every count is known, and nothing need be estimated (Särndal, Swensson and Wretman 1992, §3.2):
 *
 *   rows of a stratum     E = Nπ    V = Nπ(1 − π)
 *   weighted rows of a value        E = N     V = Σ (1 − π) / π over the population's tokens with that value
 *   X² = Σ (found − E)² / V, about χ² with a degree of freedom for each count that is left to chance
 */
import type { CaptureAudit, ChiSquare } from '../../datasets/shards/audit.ts'
import { chiSquaredUpper } from '../../statistics/distributions/gamma.ts'
import { stabilityIndex } from '../../statistics/drift/stability-index.ts'

/** A count with its expectation and variance under the draw. */
export interface DrawnCount {
  readonly found: number
  readonly expected: number
  readonly variance: number
}

/** A count with its third central moment. */
interface ChancyCount extends DrawnCount {
  readonly third: number
}

/** X² over the counts whose variance is not 0. */
export function chiSquareOf(counts: readonly DrawnCount[]): ChiSquare {
  let [statistic, df] = [0, 0]
  for (const { found, expected, variance } of counts) {
    if (!(variance > 0)) continue
    statistic += (found - expected) ** 2 / variance
    df++
  }
  return { statistic, df, p: df === 0 ? null : chiSquaredUpper(statistic, df) }
}

/** Rows of each stratum against what they should be. */
export function drawOf(
  population: readonly number[],
  probabilities: readonly number[],
  rows: readonly number[],
): ChiSquare {
  const counts = population.map((size, i) => {
    const rate = probabilities[i]!
    const variance = size * rate * (1 - rate)
    return { found: rows[i]!, expected: size * rate, variance, third: variance * (1 - 2 * rate) }
  })
  return chiSquareOf(commonCounts(counts))
}

/** Tokens and rows of one value of a field. */
export interface ValueCounts {
  readonly value: string
  population: number
  rows: number
  /** Σ π, Σ (1 − π)/π and Σ (1 − π)(1 − 2π)/π² over the population's tokens; Σ 1/π over the rows. */
  expected: number
  variance: number
  third: number
  weighted: number
}

/** A count's worth in rows below which it makes no χ² of its own: its square is far from that of a normal one. */
const leastWorth = 5

/**
 * What a count is worth: 1 / skewness², which is Nπ for N tokens of one small rate. A few heavy rows among many light ones are
 * all that decides a weighted count, and worth no more than themselves.
 */
const worthOf = ({ variance, third }: ChancyCount) =>
  third === 0 ? Number.POSITIVE_INFINITY : variance ** 3 / third ** 2

/** Counts that are worth enough, and the others together where that is. */
function commonCounts(counts: readonly ChancyCount[]): ChancyCount[] {
  const rare = counts.filter(count => worthOf(count) < leastWorth)
  const total = (of: (count: ChancyCount) => number) => rare.reduce((sum, count) => sum + of(count), 0)
  const together = {
    found: total(({ found }) => found),
    expected: total(({ expected }) => expected),
    variance: total(({ variance }) => variance),
    third: total(({ third }) => third),
  }
  const common = counts.filter(count => worthOf(count) >= leastWorth)
  return rare.length > 0 && worthOf(together) >= leastWorth ? [...common, together] : common
}

/** How well the values of a field are represented. */
export function fieldAudit(field: string, values: readonly ValueCounts[]): CaptureAudit['fields'][number] {
  const total = (of: (counts: ValueCounts) => number) => values.reduce((sum, counts) => sum + of(counts), 0)
  const population = total(({ population }) => population)
  const rows = total(({ rows }) => rows)
  const weighted = total(({ weighted }) => weighted)
  const shares = (of: (counts: ValueCounts) => number, sum: number) => values.map(counts => of(counts) / sum)
  const truth = shares(({ population }) => population, population)
  const counted = shares(({ weighted }) => weighted, weighted)
  let furthest = 0
  for (const i of values.keys())
    if (Math.abs(counted[i]! - truth[i]!) > Math.abs(counted[furthest]! - truth[furthest]!)) furthest = i
  const drawn = values.map(({ weighted, population, variance, third }) => ({
    ...{ found: weighted, expected: population, variance, third },
  }))
  return {
    field,
    values: values.length,
    psi: {
      rows: Math.max(
        0,
        stabilityIndex(
          truth,
          shares(({ rows }) => rows, rows),
        ),
      ),
      weighted: Math.max(0, stabilityIndex(truth, counted)),
    },
    chiSquare: chiSquareOf(commonCounts(drawn)),
    furthest:
      values.length > 1
        ? { value: values[furthest]!.value, population: truth[furthest]!, weighted: counted[furthest]! }
        : null,
  }
}
