/** The dose curve of a latent: what steering with it does at every strength, and whether more does more. */
import { mean, spearman } from '../../statistics/descriptive.ts'
import type { Claim } from '../evidence.ts'
import type { EffectRow } from '../rows.ts'
import { type AnalysisSettings, finite, summarise } from './analyse.ts'
import { byDocument, type Metric } from './values.ts'

/** Steering with the latent itself at every dose, and how the target goes with the dose. */
export function analyseDoses(claim: Claim, rows: readonly EffectRow[], settings: AnalysisSettings, seed: number) {
  const own = rows.filter(row => row.intervention === 'steer' && row.control === 'feature')
  const points = claim.doses.map(dose => {
    const at = own.filter(row => row.dose === dose)
    const documents = [...new Set(at.map(({ document }) => document))]
    const summary = (metric: Metric) =>
      summarise(
        byDocument(at, documents, row => row[metric]!),
        settings,
        seed,
        'dose',
        claim.feature,
        dose,
        metric,
      )
    return { dose, target: summary('target'), loss: summary('loss'), kl: summary('kl') }
  })
  return { points: own.length > 0 ? points : [], trend: trendOf(own) }
}

/** Spearman's correlation of dose and target within each document, averaged over documents; null where none has one. */
function trendOf(own: readonly EffectRow[]): number | null {
  const windows = new Map<string, EffectRow[]>()
  for (const row of own) {
    const rows = windows.get(row.document)
    if (rows) rows.push(row)
    else windows.set(row.document, [row])
  }
  const trends = [...windows.values()].flatMap(rows => {
    const doses = [...new Set(rows.map(({ dose }) => dose))].sort((a, b) => a - b)
    const targets = doses.map(dose => mean(rows.filter(row => row.dose === dose).map(({ target }) => target)))
    if (doses.length < 2 || targets.every(target => target === targets[0])) return []
    const trend = spearman(doses, targets)
    return trend === null || !Number.isFinite(trend) ? [] : [trend]
  })
  return trends.length === 0 ? null : finite(mean(trends))
}
