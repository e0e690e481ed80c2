/**
 * Does the effect differ between strata, such as languages and domains? Made of the main test's effects alone.
 *
 * Cochran's Q and I² take variances of few documents as known; so p is by dealing the documents to the strata, of which the
 * statistic is the sum of squares between them.
 */
import { Random } from '../../core/random.ts'
import { mean, variance } from '../../statistics/descriptive.ts'
import { randomEffects } from '../../statistics/effects/pooling.ts'
import { subsetMeanRatio } from '../../statistics/intervals/mean-ratio.ts'
import type { Heterogeneity } from '../contracts/heterogeneity.ts'
import { familyQ } from '../judging/family.ts'
import { meanInterval } from '../judging/interval.ts'
import { type Grouped, groupRows, isPaired } from '../judging/values.ts'
import { fewestDocuments } from '../rows.ts'
import { latentStudy, type StudySettings, type TestedLatent } from './study.ts'

const deals = 999

export const heterogeneity = latentStudy<never, Heterogeneity>({
  name: 'heterogeneity',
  question: 'Does the effect differ between strata?',
  byDefault: true,
  definitions: {
    pooled:
      'mean over strata (DerSimonian and Laird) of the primary intervention’s effect less the mean effect of the paired controls that leave least of it, as claimed, with Hartung and Knapp’s interval',
    i2: 'share of the variation between strata that is not sampling error: (Q − df) / Q, at least 0',
    p: 'of equal effects in all strata: share of 999 deals of the documents to the strata with as large a sum of squares between them; q by Benjamini and Hochberg among all fields of all latents',
    worst:
      'stratum with the smallest effect; its interval holds for all strata of the field at once, and ratio is its share of the mean over all documents',
    everywhere: 'whether the worst stratum’s interval lies beyond 0 as claimed',
  },
  columns: {},
  measure: async () => [],
  judge(tested, settings) {
    const found = tested.map(one => judgeOne(one, settings))
    const { q } = familyQ(found.flatMap(one => one?.fields.map(({ p }) => p) ?? []))
    let next = 0
    return found.map(one => one && { ...one, fields: one.fields.map(field => ({ ...field, q: q[next++]! })) })
  },
})

function judgeOne({ claim, effects }: TestedLatent<never>, settings: StudySettings): Heterogeneity | null {
  const grouped = groupRows(effects, claim.primary, claim.primary === 'ablate' ? 0 : claim.dose)
  if (grouped.documents.length === 0) return null
  const { control, values } = beyondControls(grouped, claim.direction === 'decrease' ? -1 : 1)
  const fields = settings.fields.flatMap(field => {
    const strata = grouped.documents.map(document => settings.strata[document]?.[field] ?? null)
    const found = ofField(field, strata, values, claim.feature, settings)
    return found ? [found] : []
  })
  return { control, fields }
}

/** The latent's effects as claimed, less the mean of the paired controls that leave least of it. */
function beyondControls({ own, controls }: Grouped, sign: number): { control: string | null; values: number[] } {
  const kinds = [...controls].flatMap(([control, each]) =>
    isPaired(control)
      ? [{ control, values: own.target.map((value, d) => sign * (value - mean(each.map(one => one.target[d]!)))) }]
      : [],
  )
  return kinds.reduce<{ control: string | null; values: number[] }>(
    (worst, one) => (worst.control === null || mean(one.values) < mean(worst.values) ? one : worst),
    { control: null, values: own.target.map(value => sign * value) },
  )
}

function ofField(
  field: string,
  strata: readonly (string | null)[],
  values: readonly number[],
  feature: number,
  { alpha, seed }: StudySettings,
): Heterogeneity['fields'][number] | null {
  const counts = new Map<string, number>()
  for (const value of strata) if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1)
  const names = [...counts].flatMap(([value, count]) => (count >= fewestDocuments ? [value] : [])).sort()
  if (names.length < 2) return null
  const kept = values.flatMap((value, d) => (names.includes(strata[d] ?? '') ? [{ value, stratum: strata[d]! }] : []))
  const of = (name: string) => kept.flatMap(({ value, stratum }) => (stratum === name ? [value] : []))
  const parts = names.map(name => ({ name, values: of(name) }))
  const errors = parts.map(part => variance(part.values) / part.values.length)
  const pooled = errors.every(error => error > 0)
    ? randomEffects(
        parts.map(part => mean(part.values)),
        errors,
        1 - alpha,
      )
    : null
  const worst = parts.reduce((least, part) => (mean(part.values) < mean(least.values) ? part : least))
  const level = 1 - alpha / parts.length
  const interval = meanInterval(worst.values, level)
  const all = kept.map(({ value }) => value)
  const ratio = subsetMeanRatio(
    all,
    kept.map(({ stratum }) => (stratum === worst.name ? 1 : 0)),
    level,
  )
  return {
    field,
    strata: parts.length,
    documents: kept.length,
    pooled: pooled?.estimate ?? null,
    low: pooled?.hartungKnapp?.low ?? null,
    high: pooled?.hartungKnapp?.high ?? null,
    cochranQ: pooled?.cochranQ ?? null,
    df: pooled?.df ?? null,
    i2: pooled?.i2 ?? null,
    tau2: pooled?.tau2 ?? null,
    p: dealtP(
      all,
      parts.map(part => part.values.length),
      sumOfSquares(parts.map(part => part.values)),
      new Random(seed, 'heterogeneity', feature, field),
    ),
    q: 1,
    worst: {
      value: worst.name,
      documents: worst.values.length,
      difference: mean(worst.values),
      low: interval.low,
      high: interval.high,
      ratio:
        ratio.ratio === null || ratio.low === null || ratio.high === null
          ? null
          : { ratio: ratio.ratio, low: ratio.low, high: ratio.high },
    },
    everywhere: interval.low !== null && interval.low > 0,
  }
}

/** Σ nₛ·(x̄ₛ − x̄)², up to the part that every deal shares: Σ nₛ·x̄ₛ². */
const sumOfSquares = (parts: readonly (readonly number[])[]) =>
  parts.reduce((sum, values) => sum + values.reduce((a, b) => a + b, 0) ** 2 / values.length, 0)

/** (1 + #{deals with as large a statistic}) / (1 + deals). */
function dealtP(values: readonly number[], sizes: readonly number[], observed: number, random: Random): number {
  const dealt = [...values]
  const slack = 1e-12 * Math.abs(observed)
  let count = 1
  for (let deal = 0; deal < deals; deal++) {
    random.shuffle(dealt)
    let [start, statistic] = [0, 0]
    for (const size of sizes) {
      let sum = 0
      for (let i = start; i < start + size; i++) sum += dealt[i]!
      statistic += sum ** 2 / size
      start += size
    }
    if (statistic >= observed - slack) count++
  }
  return count / (deals + 1)
}
