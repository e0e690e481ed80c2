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
  return chiSquareOf(
    population.map((size, i) => {
      const rate = probabilities[i]!
      return { found: rows[i]!, expected: size * rate, variance: size * rate * (1 - rate) }
    }),
  )
}

/** Tokens and rows of one value of a field. */
export interface ValueCounts {
  readonly value: string
  population: number
  rows: number
  /** Σ π, Σ (1 − π)/π over the population's tokens; Σ 1/π over the rows. */
  expected: number
  variance: number
  weighted: number
}

/** Fewer expected rows than this do not make a χ² of their own; such values are taken together. */
const leastExpected = 5

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
  const common = values.filter(({ expected }) => expected >= leastExpected)
  const rare = values.filter(({ expected }) => expected < leastExpected)
  const drawn = (some: readonly ValueCounts[]): DrawnCount => ({
    found: some.reduce((sum, { weighted }) => sum + weighted, 0),
    expected: some.reduce((sum, { population }) => sum + population, 0),
    variance: some.reduce((sum, { variance }) => sum + variance, 0),
  })
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
    chiSquare: chiSquareOf([...common.map(counts => drawn([counts])), ...(rare.length > 0 ? [drawn(rare)] : [])]),
    furthest:
      values.length > 1
        ? { value: values[furthest]!.value, population: truth[furthest]!, weighted: counted[furthest]! }
        : null,
  }
}
