/** How a latent's effect differs between strata. */
import { Random } from '../../core/random.ts'
import { bootstrapMeanRatio } from '../../statistics/intervals/bootstrap.ts'
import type { Claim, StratumEffect } from '../evidence.ts'
import { type EffectRow, fewestDocuments } from '../rows.ts'
import { type AnalysisSettings, finite } from './analyse.ts'
import { meanInterval } from './interval.ts'
import { groupRows } from './values.ts'

/** The target effect within each value of each stratum field, and its ratio to the pooled effect where that is not null. */
export function analyseStrata(
  claim: Claim,
  rows: readonly EffectRow[],
  strata: Readonly<Record<string, Readonly<Record<string, string>>>>,
  fields: readonly string[],
  settings: AnalysisSettings,
  seed: number,
): StratumEffect[] {
  const found: StratumEffect[] = []
  for (const intervention of ['ablate', 'steer'] as const) {
    const dose = intervention === 'ablate' ? 0 : claim.dose
    const { documents, own } = groupRows(rows, intervention, dose)
    if (documents.length === 0) continue
    const targets = own.target
    const options = { draws: settings.bootstrap, level: 1 - settings.alpha }
    const pooled = meanInterval(targets, {
      random: new Random(seed, 'strata', claim.feature, intervention),
      ...options,
    })
    // A ratio to what may be nothing says nothing.
    const known = pooled.low !== null && pooled.high !== null && (pooled.low > 0 || pooled.high < 0)
    for (const field of fields) {
      const values = [...new Set(documents.map(document => strata[document]?.[field]))]
        .filter(v => v !== undefined)
        .sort()
      for (const value of values) {
        const inside = documents.map((document): number => (strata[document]?.[field] === value ? 1 : 0))
        const effects = targets.filter((_, i) => inside[i])
        const key = [seed, 'strata', claim.feature, intervention, field, value]
        const interval = meanInterval(effects, { random: new Random(...key), ...options })
        const enough = known && effects.length >= fewestDocuments
        const ratio = enough
          ? bootstrapMeanRatio(targets, inside, { random: new Random(...key, 'ratio'), ...options })
          : undefined
        found.push({
          intervention,
          field,
          value,
          documents: effects.length,
          mean: interval.mean,
          low: interval.low,
          high: interval.high,
          ratio: ratio ? finite(ratio.estimate) : null,
          ratioLow: ratio ? finite(ratio.low) : null,
          ratioHigh: ratio ? finite(ratio.high) : null,
        })
      }
    }
  }
  return found
}
