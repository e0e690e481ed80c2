/** Where the numbers of a claim stand in evidence.json: of its effects, of each kind of control, and of the differences. */
import { definitions, type FeatureEvidence } from '../../validation/evidence.ts'
import type { FigureOrigin } from '../origin.ts'
import { documentsText } from './claim-text.ts'

type Intervention = 'ablate' | 'steer'
type Control = { readonly control: string; readonly count: number }

/** A row of a forest plot: where its record is, what it is over, and the keys of its columns within it. */
export interface RowPlace {
  readonly where: string
  readonly n: string
  readonly keys: { readonly value: string; readonly low: string; readonly high: string; readonly p: string }
}

/** The claim's record in the file. */
export const claimPlace = ({ claim }: FeatureEvidence): string =>
  `features[] | select(.claim.feature==${claim.feature})`

const metricPlace = (feature: FeatureEvidence, intervention: Intervention) =>
  `${claimPlace(feature)} | .${intervention}.metrics.target`

/** Of an intervention's effect on the target. */
export function effectPlace(feature: FeatureEvidence, intervention: Intervention): RowPlace {
  const n = documentsText(feature[intervention]?.metrics.target.effect.documents ?? 0)
  const keys = { value: 'mean', low: 'low', high: 'high', p: 'p' }
  return { where: `${metricPlace(feature, intervention)}.effect`, n, keys }
}

const controlAt = (feature: FeatureEvidence, intervention: Intervention, control: string) =>
  `${metricPlace(feature, intervention)}.controls[] | select(.control=="${control.replace(/[^\w-]/g, '')}") |`

/** Of what the controls of a kind do. */
export function controlPlace(
  feature: FeatureEvidence,
  intervention: Intervention,
  { control, count }: Control,
): RowPlace {
  const keys = { value: 'mean', low: 'spread.low', high: 'spread.high', p: 'p' }
  return { where: controlAt(feature, intervention, control), n: `${count} controls`, keys }
}

/** Of the effect less that of a kind of control. */
export function differencePlace(
  feature: FeatureEvidence,
  intervention: Intervention,
  control: Control | undefined,
): RowPlace {
  const { n } = effectPlace(feature, intervention)
  const keys = { value: 'difference', low: 'low', high: 'high', p: 'p' }
  return { where: controlAt(feature, intervention, control?.control ?? 'foreign'), n, keys }
}

/** The origin of a forest plot with these rows; undefined where the run is not known. */
export function originOfRows(run: string | undefined, rows: readonly RowPlace[]): FigureOrigin | undefined {
  if (run === undefined) return undefined
  const { target, difference, spread, interval, p, minimumDetectableEffect } = definitions
  const isDifference = rows.some(({ keys }) => keys.value === 'difference')
  const path = (key: keyof RowPlace['keys']) => (row: number) => rows[row]?.keys[key]
  return {
    ...{ run, file: 'evidence.json', split: 'validation' },
    where: row => rows[row]?.where,
    n: row => rows[row]?.n,
    columns: {
      Value: { definition: isDifference ? difference : target, path: path('value') },
      Low: { definition: `${interval}; of controls: ${spread}`, path: path('low') },
      High: { definition: `${interval}; of controls: ${spread}`, path: path('high') },
      p: { definition: p, path: path('p') },
      'Detectable from': { definition: minimumDetectableEffect },
    },
  }
}
