/**
 * The odds ratio of a latent's firing and a concept with strata held fixed (Mantel and Haenszel 1959), its standard
 * error on the log scale (Robins, Breslow and Greenland 1986) and its test.
 *
 *   OR = Σ aᵢ·dᵢ / nᵢ ÷ Σ bᵢ·cᵢ / nᵢ
 *   χ² = (|Σ (aᵢ − E aᵢ)| − c)² / Σ Var aᵢ, E and Var of the hypergeometric distribution, c = 0 or, corrected, ½
 */
import { checkBetween, checkCount } from '../check.ts'
import { chiSquaredUpper } from '../distributions/gamma.ts'
import { normalQuantile } from '../distributions/normal.ts'

/** One stratum's counts: a fires with the concept, b without, c silent with the concept, d without. */
export interface Table {
  readonly a: number
  readonly b: number
  readonly c: number
  readonly d: number
}

export interface MantelHaenszel {
  /** Null where every b·c is 0. */
  readonly oddsRatio: number | null
  /** Standard error of ln OR; null where the odds ratio is null or 0. */
  readonly logStandardError: number | null
  readonly low: number | null
  readonly high: number | null
  /** χ² of no association in any stratum, 1 degree of freedom; null where no stratum varies in both. */
  readonly chiSquared: number | null
  readonly p: number | null
  readonly strata: number
}

/** The pooled odds ratio of one or more 2 × 2 tables; strata without counts say nothing and are passed over. */
export function mantelHaenszel(
  tables: readonly Table[],
  { level = 0.95, correction = false }: { level?: number; correction?: boolean } = {},
): MantelHaenszel {
  checkCount('the number of tables', tables.length, 1)
  checkBetween('level', level, 0, 1)
  let above = 0
  let below = 0
  let [pr, psqr, qs] = [0, 0, 0]
  let difference = 0
  let variance = 0
  let strata = 0
  tables.forEach(({ a, b, c, d }, i) => {
    for (const [name, count] of Object.entries({ a, b, c, d })) checkCount(`tables[${i}].${name}`, count)
    const n = a + b + c + d
    if (n === 0) return
    strata++
    const r = (a * d) / n
    const s = (b * c) / n
    const p = (a + d) / n
    above += r
    below += s
    pr += p * r
    psqr += p * s + (1 - p) * r
    qs += (1 - p) * s
    difference += a - ((a + b) * (a + c)) / n
    if (n > 1) variance += ((a + b) * (c + d) * (a + c) * (b + d)) / (n * n * (n - 1))
  })
  const oddsRatio = below === 0 ? null : above / below
  const logStandardError =
    oddsRatio === null || oddsRatio === 0
      ? null
      : Math.sqrt(pr / (2 * above ** 2) + psqr / (2 * above * below) + qs / (2 * below ** 2))
  const reach = logStandardError === null ? null : Math.exp(normalQuantile(1 - (1 - level) / 2) * logStandardError)
  const distance = Math.max(0, Math.abs(difference) - (correction ? 0.5 : 0))
  const chiSquared = variance === 0 ? null : distance ** 2 / variance
  return {
    oddsRatio,
    logStandardError,
    low: reach === null ? null : oddsRatio! / reach,
    high: reach === null ? null : oddsRatio! * reach,
    chiSquared,
    p: chiSquared === null ? null : chiSquaredUpper(chiSquared, 1),
    strata,
  }
}
