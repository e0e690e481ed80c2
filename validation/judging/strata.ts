/** How a latent's effect differs between strata. */
import { subsetMeanRatio } from '../../statistics/intervals/mean-ratio.ts'
import type { Claim, StratumEffect } from '../evidence.ts'
import { type EffectRow, fewestDocuments } from '../rows.ts'
import type { AnalysisSettings } from './analyse.ts'
import { meanInterval } from './interval.ts'
import { groupRows } from './values.ts'

/** The target effect within each value of each stratum field, and its ratio to the pooled effect where that is not null. */
export function analyseStrata(
  claim: Claim,
  rows: readonly EffectRow[],
  strata: Readonly<Record<string, Readonly<Record<string, string>>>>,
  fields: readonly string[],
  settings: AnalysisSettings,
): StratumEffect[] {
  const found: StratumEffect[] = []
  for (const intervention of ['ablate', 'steer'] as const) {
    const dose = intervention === 'ablate' ? 0 : claim.dose
    const { documents, own } = groupRows(rows, intervention, dose)
    if (documents.length === 0) continue
    const targets = own.target
    const level = 1 - settings.alpha
    for (const field of fields) {
      const values = [...new Set(documents.map(document => strata[document]?.[field]))]
        .filter(v => v !== undefined)
        .sort()
      for (const value of values) {
        const inside = documents.map((document): number => (strata[document]?.[field] === value ? 1 : 0))
        const effects = targets.filter((_, i) => inside[i])
        const interval = meanInterval(effects, level)
        const ratio = effects.length < fewestDocuments ? undefined : subsetMeanRatio(targets, inside, level)
        // A ratio to what may be nothing says nothing.
        const known = ratio !== undefined && ratio.low !== null
        found.push({
          intervention,
          field,
          value,
          documents: effects.length,
          mean: interval.mean,
          low: interval.low,
          high: interval.high,
          ratio: known ? ratio.ratio : null,
          ratioLow: known ? ratio.low : null,
          ratioHigh: known ? ratio.high : null,
        })
      }
    }
  }
  return found
}
