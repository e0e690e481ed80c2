/** From the raw rows of one latent to its statistics. A pure function: the same rows and seed give the same numbers. */
import { Random } from '../../core/random.ts'
import { mean, quantile, standardDeviation } from '../../statistics/descriptive.ts'
import { pairedD, pairedG } from '../../statistics/effects/effect-size.ts'
import { rankP, signFlip } from '../../statistics/tests/permutation.ts'
import { sequentialP } from '../../statistics/tests/sequential.ts'
import type { ValidateConfig } from '../config.ts'
import type { EffectSummary } from '../contracts/common.ts'
import type { Claim, Comparison, InterventionEvidence } from '../evidence.ts'
import { type EffectRow, type Intervention, secondaryControls } from '../rows.ts'
import { meanInterval } from './interval.ts'
import { lookAt } from './looks.ts'
import { intervalAgainst } from './paired.ts'
import { rankAmong } from './rank.ts'
import type { Sample } from './rule.ts'
import { type Grouped, groupRows, isPaired, type Metric, type Series, stoppingExceedances } from './values.ts'

export interface AnalysisSettings extends Pick<ValidateConfig, 'alpha' | 'power' | 'bootstrap' | 'smallestEffect'> {
  /** Claims tested together; default: one. Where no rank among the controls could pass alone among so many, a tail is fitted. */
  readonly family?: number
}

/** JSON's null for what is not a finite number. */
export const finite = (value: number): number | null => (Number.isFinite(value) ? value : null)

/** Summary of one value a document. */
export function summarise(
  values: readonly number[],
  settings: AnalysisSettings,
  ...seed: (string | number)[]
): EffectSummary {
  const random = new Random(...seed)
  const interval = meanInterval(values, 1 - settings.alpha)
  const enough = values.length >= 2
  return {
    documents: values.length,
    mean: interval.mean,
    low: interval.low,
    high: interval.high,
    interval: interval.method,
    dz: enough ? pairedD(values) : null,
    g: enough ? pairedG(values) : null,
    p: values.length > 0 ? signFlip(values, random).p : null,
  }
}

/** Taking the latent away should lower its target, putting it in raise it (and a negative dose lower it). */
export function directionOf(intervention: Intervention, dose: number): 'increase' | 'decrease' {
  return intervention === 'ablate' || dose < 0 ? 'decrease' : 'increase'
}

/** A claim as far as its direction goes; without one it is the usual. */
/** What the direction of a claim follows from. */
export type Directed = Pick<Claim, 'dose'> & Partial<Pick<Claim, 'primary' | 'direction'>>

/** The same for a claim, which may say that its latent does the opposite of what it would by default. */
export function claimedDirection(claim: Directed, intervention: Intervention, dose: number): 'increase' | 'decrease' {
  const usual = directionOf(intervention, dose)
  if (claim.primary === undefined || claim.direction === undefined) return usual
  const stated = claim.direction === directionOf(claim.primary, claim.primary === 'ablate' ? 0 : claim.dose)
  return stated ? usual : usual === 'increase' ? 'decrease' : 'increase'
}

/** How controls are ranked: as far in the claimed direction, or as far from 0 where the claim says nothing of it. */
export const alternativeOf = (metric: Metric, direction: 'increase' | 'decrease') =>
  metric !== 'target' ? ('two-sided' as const) : direction === 'decrease' ? ('less' as const) : ('greater' as const)

interface Compared {
  readonly kind: string
  readonly metric: Metric
  readonly own: readonly number[]
  readonly controls: readonly (Series & { readonly id: number })[]
  /** Controls drawn, of which the last ones may not have been measured. */
  readonly planned: number
  /** Those of them that another kind kept from being measured. */
  readonly unmeasured: number
  readonly direction: 'increase' | 'decrease'
  /** Level of the interval, and whether the claim was given up. */
  readonly look: ReturnType<typeof lookAt>
  readonly settings: AnalysisSettings
  readonly seed: readonly (string | number)[]
}

function compare({
  kind,
  metric,
  own,
  controls,
  planned,
  unmeasured,
  direction,
  look: { level, givenUp },
  settings,
  seed,
}: Compared): Comparison {
  const means = controls.map(control => mean(control[metric]))
  const effect = mean(own)
  const alternative = alternativeOf(metric, direction)
  const deviation = means.length > 1 ? standardDeviation(means) : 0
  const centre = mean(means)
  const interval = intervalAgainst(
    kind,
    own,
    controls.map(control => control[metric]),
    level,
  )
  const sign = alternative === 'less' ? -1 : 1
  const reach = (value: number) => (alternative === 'two-sided' ? Math.abs(value) : sign * value)
  return {
    control: kind,
    paired: isPaired(kind),
    count: controls.length,
    planned,
    mean: centre,
    deviation,
    spread: { low: quantile(means, settings.alpha / 2), high: quantile(means, 1 - settings.alpha / 2) },
    difference: interval.mean,
    low: interval.low,
    high: interval.high,
    interval: interval.method,
    percentile: means.filter(value => reach(value) < reach(effect)).length / means.length,
    z: deviation > 0 ? finite((effect - centre) / deviation) : null,
    alternative,
    ...(metric === 'target'
      ? rankAmong(sign * effect, means.map(reach), { ...settings, unmeasured, givenUp }, [...seed, kind, 'tail'])
      : { p: rankP(effect, means, alternative), used: means.length, method: 'rank' as const }),
    critical: quantile(means.map(reach), 1 - settings.alpha),
  }
}

/** How the claim was looked at, by the documents in which its primary intervention was measured; the other one has no look of its own. */
function lookOf(
  { documents }: Partial<Pick<Claim, 'documents'>>,
  rows: readonly EffectRow[],
  primary: Intervention,
  alpha: number,
): ReturnType<typeof lookAt> {
  const own = rows.filter(({ intervention, control }) => intervention === primary && control === 'feature')
  return lookAt(new Set(own.map(({ document }) => document)), documents?.[primary] ?? [], alpha)
}

/** Statistics of one intervention at its main dose; q and power are filled in once all latents are known. */
export function analyseIntervention(
  claim: Directed & Pick<Claim, 'feature'> & Partial<Pick<Claim, 'controls' | 'documents'>>,
  rows: readonly EffectRow[],
  intervention: Intervention,
  settings: AnalysisSettings,
  seed: number,
): InterventionEvidence | null {
  const dose = intervention === 'ablate' ? 0 : claim.dose
  const grouped = groupRows(rows, intervention, dose)
  if (grouped.documents.length === 0) return null
  const direction = claimedDirection(claim, intervention, dose)
  const primary = claim.primary ?? intervention
  const isPrimary = primary === intervention
  const look = lookOf(claim, rows, primary, settings.alpha)
  const effectOf = ({ target }: Pick<Series, 'target'>) => mean(target)
  const ended = [...grouped.controls.values()].some(
    each =>
      sequentialP(effectOf(grouped.own), each.map(effectOf), stoppingExceedances, alternativeOf('target', direction))
        .stopped,
  )
  const ofMetric = (metric: Metric) => {
    const own = grouped.own[metric]
    const key = [seed, 'analyse', claim.feature, intervention, metric]
    return {
      effect: summarise(own, settings, ...key),
      controls: [...grouped.controls].flatMap(([kind, all]) => {
        const controls = all.filter((one): one is typeof one & Series => one[metric] !== null)
        if (controls.length === 0) return []
        const planned = Math.max(controls.length, metric === 'target' ? (claim.controls?.[kind] ?? 0) : 0)
        const asked = isPrimary ? planned : secondaryControls
        // Tied directions that fire in too few documents are left out, so that fewer than planned are no sign of an end.
        const unmeasured = isPaired(kind) || ended ? Math.max(0, Math.min(asked, planned) - controls.length) : 0
        return [compare({ kind, metric, own, controls, planned, unmeasured, direction, look, settings, seed: key })]
      }),
    }
  }
  const metrics = { target: ofMetric('target'), loss: ofMetric('loss'), kl: ofMetric('kl') }
  const effect = metrics.target.effect.mean ?? 0
  return {
    dose,
    norm: finite(mean(grouped.norm)),
    metrics,
    test: {
      family: `${intervention}.target over the latents tested`,
      size: 0,
      p: metrics.target.controls.length > 0 ? Math.max(...metrics.target.controls.map(({ p }) => p ?? 1)) : null,
      q: null,
      direction,
      asClaimed: direction === 'decrease' ? effect < 0 : effect > 0,
    },
    power: null,
  }
}

/** The target's effects in the claimed direction, as the rule asks for them. */
export function sampleOf(
  { own, controls }: Grouped,
  claim: Partial<Pick<Claim, 'controls'>>,
  direction: 'increase' | 'decrease',
): Sample {
  const sign = direction === 'decrease' ? -1 : 1
  const signed = (values: readonly number[]) => Float64Array.from(values, value => sign * value)
  return {
    own: signed(own.target),
    kinds: [...controls].map(([kind, each]) => ({
      planned: claim.controls?.[kind] ?? 0,
      ...(isPaired(kind)
        ? { paired: each.map(({ target }) => signed(target)) }
        : { means: signed(each.map(({ target }) => mean(target))) }),
    })),
  }
}
