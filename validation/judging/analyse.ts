/** From the raw rows of one latent to its statistics. A pure function: the same rows and seed give the same numbers. */
import { Random } from '../../core/random.ts'
import { mean, quantile, spearman, standardDeviation } from '../../statistics/descriptive.ts'
import { pairedD, pairedG } from '../../statistics/effects/effect-size.ts'
import { bootstrapMean, bootstrapMeanRatio } from '../../statistics/intervals/bootstrap.ts'
import { minimumDetectableEffect, pairedSampleSize } from '../../statistics/power/t-test.ts'
import { rankP, signFlip } from '../../statistics/tests/permutation.ts'
import type { ValidateConfig } from '../config.ts'
import type { Claim, Comparison, EffectSummary, InterventionEvidence, StratumEffect } from '../evidence.ts'
import type { EffectRow, Intervention } from '../rows.ts'

export type Metric = 'target' | 'loss' | 'kl'
export type AnalysisSettings = Pick<ValidateConfig, 'alpha' | 'power' | 'bootstrap' | 'smallestEffect'>

/** JSON's null for what is not a finite number. */
export const finite = (value: number): number | null => (Number.isFinite(value) ? value : null)

/** Rows of one intervention, grouped: the latent's value in each document and each control's. */
interface Grouped {
  readonly documents: readonly string[]
  readonly feature: readonly EffectRow[]
  /** By kind, then by control, rows in the order of `documents`. */
  readonly controls: ReadonlyMap<string, readonly (readonly EffectRow[])[]>
}

function group(rows: readonly EffectRow[], intervention: Intervention, dose: number): Grouped {
  const own = rows.filter(row => row.intervention === intervention && row.dose === dose && row.control !== 'sham')
  const feature = own.filter(row => row.control === 'feature')
  const place = new Map(feature.map(({ document }, i) => [document, i]))
  const kinds = new Map<string, Map<number, EffectRow[]>>()
  for (const row of own) {
    if (row.control === 'feature' || row.controlId === null) continue
    const kind = kinds.get(row.control) ?? new Map<number, EffectRow[]>()
    const control = kind.get(row.controlId) ?? []
    control[place.get(row.document)!] = row
    kinds.set(row.control, kind.set(row.controlId, control))
  }
  return {
    documents: feature.map(({ document }) => document),
    feature,
    controls: new Map([...kinds].map(([kind, controls]) => [kind, [...controls.values()]])),
  }
}

/** Summary of one value a document. */
export function summarise(
  values: readonly number[],
  settings: AnalysisSettings,
  ...seed: (string | number)[]
): EffectSummary {
  const random = new Random(...seed)
  const interval = bootstrapMean(values, { random, draws: settings.bootstrap, level: 1 - settings.alpha })
  return {
    documents: values.length,
    mean: finite(interval.estimate),
    low: finite(interval.low),
    high: finite(interval.high),
    interval: interval.method,
    dz: values.length === 0 ? null : pairedD(values),
    g: values.length === 0 ? null : pairedG(values),
    p: signFlip(values, random).p,
  }
}

function compare(
  kind: string,
  own: readonly number[],
  controls: readonly (readonly number[])[],
  settings: AnalysisSettings,
  seed: readonly (string | number)[],
): Comparison {
  const means = controls.map(values => mean(values))
  const effect = mean(own)
  const differences = own.map((value, d) => value - mean(controls.map(values => values[d]!)))
  const interval = bootstrapMean(differences, {
    random: new Random(...seed, kind),
    draws: settings.bootstrap,
    level: 1 - settings.alpha,
  })
  const deviation = standardDeviation(means)
  return {
    control: kind,
    count: controls.length,
    mean: finite(mean(means)),
    deviation: finite(deviation),
    spread: {
      low: finite(quantile(means, settings.alpha / 2)),
      high: finite(quantile(means, 1 - settings.alpha / 2)),
    },
    difference: finite(interval.estimate),
    low: finite(interval.low),
    high: finite(interval.high),
    percentile: finite(means.filter(value => Math.abs(value) < Math.abs(effect)).length / means.length),
    z: finite((effect - mean(means)) / deviation),
    p: rankP(effect, means),
    critical: finite(quantile(means.map(Math.abs), 1 - settings.alpha)),
  }
}

/** Statistics of one intervention at its main dose; q is filled in once all latents are known. */
export function analyseIntervention(
  claim: Claim,
  rows: readonly EffectRow[],
  intervention: Intervention,
  settings: AnalysisSettings,
  seed: number,
): InterventionEvidence | null {
  const dose = intervention === 'ablate' ? 0 : claim.dose
  const { feature, controls } = group(rows, intervention, dose)
  if (feature.length === 0) return null
  const ofMetric = (metric: Metric) => {
    const own = feature.map(row => row[metric])
    const key = [seed, 'analyse', claim.feature, intervention, metric]
    return {
      effect: summarise(own, settings, ...key),
      controls: [...controls].map(([kind, each]) =>
        compare(
          kind,
          own,
          each.map(list => list.map(row => row[metric])),
          settings,
          key,
        ),
      ),
    }
  }
  const metrics = { target: ofMetric('target'), loss: ofMetric('loss'), kl: ofMetric('kl') }
  // Taking the latent away should lower its target, putting it in raise it (and a negative dose lower it).
  const direction = intervention === 'ablate' || dose < 0 ? 'decrease' : 'increase'
  const effect = metrics.target.effect.mean ?? 0
  const differences = deviationsFromControls(feature, controls)
  const deviation = standardDeviation(differences)
  return {
    dose,
    norm: finite(mean(feature.map(row => row.norm))),
    metrics,
    test: {
      family: `${intervention}.target over the latents tested`,
      size: 0,
      p: metrics.target.controls.length > 0 ? Math.max(...metrics.target.controls.map(({ p }) => p ?? 1)) : null,
      q: null,
      direction,
      asClaimed: direction === 'decrease' ? effect < 0 : effect > 0,
    },
    power: {
      deviation: finite(deviation),
      minimumDetectableEffect: finite(
        minimumDetectableEffect(feature.length, deviation, settings.alpha, settings.power),
      ),
      documentsNeeded: deviation > 0 ? needed(settings.smallestEffect / deviation, settings) : null,
    },
  }
}

/** Effect of the latent less that of its hardest controls, by document: what the power calculation is about. */
function deviationsFromControls(
  feature: readonly EffectRow[],
  controls: ReadonlyMap<string, readonly (readonly EffectRow[])[]>,
): number[] {
  const hardest = controls.get('foreign') ?? [...controls.values()][0] ?? []
  return feature.map((row, d) => row.target - (hardest.length > 0 ? mean(hardest.map(list => list[d]!.target)) : 0))
}

/** Sample sizes beyond this are not worth their exact number. */
const manyDocuments = 100_000

function needed(dz: number, { alpha, power }: AnalysisSettings): number | null {
  return dz < 0.01 ? manyDocuments : pairedSampleSize(dz, alpha, power)
}

/** Steering with the latent itself at every dose, and the rank correlation of dose and target. */
export function analyseDoses(claim: Claim, rows: readonly EffectRow[], settings: AnalysisSettings, seed: number) {
  const own = rows.filter(row => row.intervention === 'steer' && row.control === 'feature')
  const points = claim.doses.map(dose => {
    const at = own.filter(row => row.dose === dose)
    const summary = (metric: Metric) =>
      summarise(
        at.map(row => row[metric]),
        settings,
        seed,
        'dose',
        claim.feature,
        dose,
        metric,
      )
    return { dose, target: summary('target'), loss: summary('loss'), kl: summary('kl') }
  })
  const trend = spearman(
    own.map(row => row.dose),
    own.map(row => row.target),
  )
  return { points: own.length > 0 ? points : [], trend: finite(trend) }
}

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
    const { feature } = group(rows, intervention, dose)
    const targets = feature.map(row => row.target)
    const options = { draws: settings.bootstrap, level: 1 - settings.alpha }
    const pooled = bootstrapMean(targets, {
      random: new Random(seed, 'strata', claim.feature, intervention),
      ...options,
    })
    const known = pooled.low > 0 || pooled.high < 0 // a ratio to what may be nothing says nothing
    for (const field of fields) {
      const values = [...new Set(feature.map(row => strata[row.document]?.[field]))].filter(v => v !== undefined).sort()
      for (const value of values) {
        const inside = feature.map(row => (strata[row.document]?.[field] === value ? 1 : 0))
        const effects = feature.filter((_, i) => inside[i]).map(row => row.target)
        const key = [seed, 'strata', claim.feature, intervention, field, value]
        const interval = bootstrapMean(effects, { random: new Random(...key), ...options })
        const ratio = bootstrapMeanRatio(targets, inside, { random: new Random(...key, 'ratio'), ...options })
        found.push({
          intervention,
          field,
          value,
          documents: effects.length,
          mean: finite(interval.estimate),
          low: finite(interval.low),
          high: finite(interval.high),
          ratio: known ? finite(ratio.estimate) : null,
          ratioLow: known ? finite(ratio.low) : null,
          ratioHigh: known ? finite(ratio.high) : null,
        })
      }
    }
  }
  return found
}
