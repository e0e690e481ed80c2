/** The pictures of a claim: effect with controls beneath, effect beyond each control, dose curve, strata, selectivity. HTML. */
import { definitions, type FeatureEvidence, type InterventionEvidence } from '../../validation/evidence.ts'
import {
  type DoseData,
  dose,
  type Estimate,
  type ForestRow,
  figureOf,
  forest,
  type HeatData,
  heat,
  histogram,
  short,
} from '../charts/index.ts'
import type { FigureOrigin } from '../origin.ts'
import { claimPlace, controlPlace, differencePlace, effectPlace, originOfRows } from './claim-origin.ts'
import { controlNames, documentsText, interventionText } from './claim-text.ts'

type EffectSummary = FeatureEvidence['doseCurve'][number]['target']

/** Strata of one latent in its heat map. */
const mostStrata = 40

const interventions = ['ablate', 'steer'] as const

/** What was measured of the claim, the intervention it is about first. */
function measured({ claim, ...feature }: FeatureEvidence) {
  return [...interventions]
    .sort(one => (one === claim.primary ? -1 : 1))
    .flatMap(name => {
      const found = feature[name]
      return found ? [{ name, found, isPrimary: name === claim.primary }] : []
    })
}

const effectOf = (name: string, { mean, low, high, documents, p }: EffectSummary): Estimate => ({
  ...{ name, value: mean, low, high, p },
  n: `n ${documents}`,
})

/** Each intervention's effect on the target, and beneath it what each kind of control does on the same scale. */
export function effectFigure(feature: FeatureEvidence, run?: string): string {
  const rows = measured(feature).map(({ name, found, isPrimary }): ForestRow => {
    const { effect, controls } = found.metrics.target
    return {
      ...effectOf(interventionText(name, found.dose), effect),
      state: isPrimary ? feature.verdict : 'unjudged',
      controls: controls.map(({ control, mean, spread, count, p }) => ({
        ...{ name: controlNames[control] ?? control, value: mean, low: spread.low, high: spread.high, p },
        n: `${count} drawn`,
      })),
    }
  })
  const text = {
    title: 'Effect on the target, each kind of control beneath',
    note: `Bars of the latent: interval over documents. Bars of controls: the middle ${short(100 * (1 - feature.claim.alpha))} % of their mean effects. Shaded: within ±${short(feature.claim.smallestEffect)} nats, too small to matter.`,
    origin: originOfRows(
      run,
      measured(feature).flatMap(({ name, found }) => [
        effectPlace(feature, name),
        ...found.metrics.target.controls.map(control => controlPlace(feature, name, control)),
      ]),
    ),
  }
  const data = { x: 'change of the target, nats', rows, smallestEffect: feature.claim.smallestEffect }
  return figureOf(forest, data, { ...text, nothing: 'Neither intervention was measured.' })
}

/** The latent's effect less each kind of control, with the smallest that could have been found. */
export function differenceFigure(feature: FeatureEvidence, run?: string): string {
  const primary = feature[feature.claim.primary]
  const hardest = primary && hardestOf(primary, feature.claim.direction)
  const detectable = primary?.power?.minimumDetectableEffect ?? null
  const sign = feature.claim.direction === 'decrease' ? -1 : 1
  const rows = (primary?.metrics.target.controls ?? []).map(
    ({ control, difference, low, high, p, count }): ForestRow => ({
      ...{ name: `less ${controlNames[control] ?? control}`, value: difference, low, high, p },
      n: `${count} drawn`,
      state: control === hardest ? feature.verdict : 'unjudged',
      detectable: control === hardest && detectable !== null ? sign * detectable : null,
    }),
  )
  const data = { x: 'difference, nats', rows, smallestEffect: feature.claim.smallestEffect }
  return figureOf(forest, data, {
    title: 'Effect beyond each kind of control',
    nothing: 'Nothing was measured against controls.',
    note: `Tick: the smallest effect beyond the hardest kind that would have been found, ${detectable === null ? 'none' : `${short(detectable)} nats`}. The hardest kind decides.`,
    origin: originOfRows(
      run,
      (primary?.metrics.target.controls ?? []).map(control => differencePlace(feature, feature.claim.primary, control)),
    ),
  })
}

/** The kind of control that leaves least of the effect in the claimed direction. */
function hardestOf({ metrics }: InterventionEvidence, direction: 'increase' | 'decrease'): string | undefined {
  const sign = direction === 'decrease' ? -1 : 1
  const known = metrics.target.controls.filter(({ difference }) => difference !== null)
  return known.sort((a, b) => sign * (a.difference! - b.difference!))[0]?.control
}

/** What steering does at each dose; the therapeutic window is known where the study of doses was asked for. */
export function doseFigure(feature: FeatureEvidence, run?: string): string {
  const { doseCurve, claim, studies } = feature
  const studied = studies.doses?.points
  const points = studied
    ? studied.map(({ dose, target, kl }) => ({ dose, target, sideEffect: kl }))
    : doseCurve.map(({ dose, target, kl }) => ({ dose, target, sideEffect: kl }))
  const window = studies.doses?.window
  const from = window?.effectDose ?? null
  const largest = Math.max(...points.map(({ dose }) => dose), 0)
  const data: DoseData = {
    points,
    smallestEffect: claim.smallestEffect,
    window: from === null ? null : { from, to: Math.max(from, window?.capDose ?? largest) },
    claimed: claim.dose,
    direction: 'increase',
  }
  const documents = points[0]?.target.documents ?? 0
  const found = window
    ? `Shaded window: KL reaches its cap at ${window.atLeast ? 'at least ' : ''}${short(window.ratio)} times the dose that has effect enough.`
    : 'The window of doses that have effect enough at little KL was not asked for (--studies doses).'
  const note = `Line: the dose of the claim; dotted: the smallest effect of interest. ${found}`
  return figureOf(dose, data, {
    title: `Dose curve of steering (${documentsText(documents)})`,
    note,
    nothing: 'Not run: claims have a curve where the settings name doses.',
    origin:
      run === undefined
        ? undefined
        : {
            ...{ run, file: 'evidence.json', split: 'validation' },
            where: row => `${claimPlace(feature)} | .${studied ? 'studies.doses.points' : 'doseCurve'}[${row}]`,
            n: row => documentsText(points[row]?.target.documents ?? 0),
            columns: {
              Dose: { definition: 'strength of steering, in multiples of the latent’s p99 activation' },
              'Target, nats': { definition: definitions.target, path: 'target.mean' },
              Low: { definition: definitions.interval, path: 'target.low' },
              High: { definition: definitions.interval, path: 'target.high' },
              'KL, nats': { definition: definitions.kl, path: 'kl.mean' },
              'KL low': { definition: definitions.interval, path: 'kl.low' },
              'KL high': { definition: definitions.interval, path: 'kl.high' },
            },
          },
  })
}

/** Effects by stratum, and on text changed in one way each where that was asked for. */
export function strataFigure(feature: FeatureEvidence, run?: string): string {
  const { robustness, claim, studies } = feature
  const kinds = interventions.filter(name => robustness.some(({ intervention }) => intervention === name))
  const fields = [...new Set(robustness.map(({ field }) => field))]
  const strata = fields.flatMap(field =>
    [...new Set(robustness.flatMap(one => (one.field === field ? one.value : [])))]
      .sort((a, b) => (a < b ? -1 : 1))
      .map(value => `${field} ${value}`),
  )
  const rows = strata.slice(0, mostStrata).map(name => ({
    name,
    cells: kinds.map(kind => {
      const found = robustness.find(one => one.intervention === kind && `${one.field} ${one.value}` === name)
      return found ? { value: found.mean, low: found.low, high: found.high, n: found.documents } : null
    }),
  }))
  const shifts = (studies.robustness?.shifts ?? []).map(({ shift, difference, low, high, documents }) => ({
    name: `changed text: ${shift}`,
    cells: kinds.map(kind => (kind === claim.primary ? { value: difference, low, high, n: documents } : null)),
  }))
  const data: HeatData = {
    rows: [...rows, ...shifts],
    columns: kinds.map(kind => (kind === 'ablate' ? 'ablation' : `steering`)),
    planned: 5,
    unit: 'nats',
  }
  const left = strata.length - mostStrata
  const isWhole = [...rows, ...shifts].every(({ cells }) => cells.every(cell => typeof cell?.value === 'number'))
  const missing = isWhole ? '' : ' Missing: measured in none of its documents.'
  const asked = studies.robustness === undefined ? ' Changed text was not asked for (--studies robustness).' : ''
  return figureOf(heat, data, {
    title: 'By stratum',
    note: `Outlined: the interval holds 0. Hatched: fewer than 5 documents.${left > 0 ? ` ${left} more strata are in evidence.json.` : ''}${missing}${asked}`,
    nothing: 'The documents have no strata.',
    origin:
      run === undefined
        ? undefined
        : originOfStrata(
            run,
            feature,
            rows.map(({ name }) => name),
            kinds,
          ),
  })
}

/** Where the cells of the heat map stand: strata by their place in the list, then texts that were changed. */
function originOfStrata(
  run: string,
  feature: FeatureEvidence,
  strata: readonly string[],
  kinds: readonly string[],
): FigureOrigin {
  const { robustness, studies } = feature
  const placeOf = (row: number) => {
    const [stratum, kind] = [Math.floor(row / kinds.length), kinds[row % kinds.length]]
    if (stratum >= strata.length) return { shift: stratum - strata.length }
    return {
      at: robustness.findIndex(one => one.intervention === kind && `${one.field} ${one.value}` === strata[stratum]),
    }
  }
  return {
    ...{ run, file: 'evidence.json', split: 'validation' },
    where(row) {
      const { at, shift } = placeOf(row)
      return `${claimPlace(feature)} | .${shift === undefined ? `robustness[${at}]` : `studies.robustness.shifts[${shift}]`}`
    },
    n(row) {
      const { at, shift } = placeOf(row)
      const found = shift === undefined ? robustness[at!] : studies.robustness?.shifts[shift]
      return found && documentsText(found.documents)
    },
    columns: {
      'Effect, nats': {
        definition: definitions.target,
        path: row => (placeOf(row).shift === undefined ? 'mean' : 'difference'),
      },
      Low: { definition: definitions.interval, path: 'low' },
      High: { definition: definitions.interval, path: 'high' },
      Documents: { path: 'documents' },
    },
  }
}

/** How well the latent tells its concept, against the best of any latent under labels dealt anew. */
export function selectivityFigure(feature: FeatureEvidence, run?: string): string {
  const { selectivity } = feature
  if (!selectivity || selectivity.nullMaxima.length < 2) return ''
  const { auroc, low, high, nullMaxima, concept } = selectivity
  const all = auroc === null ? nullMaxima : [...nullMaxima, auroc]
  const [least, most] = [Math.min(...all), Math.max(...all)]
  if (!(most > least)) return ''
  const bins = 24
  const edges = Array.from({ length: bins + 1 }, (_, i) => least + ((most - least) * i) / bins)
  const counts = new Array<number>(bins).fill(0)
  for (const value of nullMaxima) counts[Math.min(bins - 1, Math.floor(((value - least) / (most - least)) * bins))]!++
  return figureOf(
    histogram,
    { x: 'best AUROC under labels dealt anew', y: 'dealings', edges, counts, mark: auroc ?? undefined },
    {
      origin:
        run === undefined
          ? undefined
          : {
              ...{ run, file: 'evidence.json', split: 'validation' },
              where: row =>
                `${claimPlace(feature)} | [.selectivity.nullMaxima[] | select(. >= ${edges[row]} and . <= ${edges[row + 1]})] | length`,
              n: `${nullMaxima.length} dealings`,
              columns: {
                dealings: {
                  definition: 'dealings of the labels to other documents whose best latent has an AUROC in the bin',
                },
              },
            },
      title: `Selectivity for ${concept}`,
      note: `Line: this latent, AUROC ${auroc === null ? 'missing' : `${short(auroc)}${low === null || high === null ? '' : ` (${short(low)} to ${short(high)})`}`} over ${documentsText(selectivity.documents)}. Bars: the best of any latent where labels are dealt to other documents.`,
    },
  )
}
