/** Every test of a validate run as rows, so that a table or a plot needs to know nothing of how evidence is nested. */
import type { z } from 'zod'
import type { FinishedRun } from '../../runs/run.ts'
import type { Comparison, Evidence, FeatureEvidence, InterventionEvidence } from '../../validation/evidence.ts'
import type { Test } from '../api/contracts/evidence.ts'

export type TestRow = z.output<typeof Test>

type Effect = NonNullable<FeatureEvidence['sideEffect']>

/** The tests of all latents, latent by latent: the main ones first, in the order of the evidence. */
export function testRows(evidence: Evidence, run: FinishedRun): TestRow[] {
  return evidence.features.flatMap((feature, i) => testsOf(feature, `features.${i}`, run))
}

function testsOf(feature: FeatureEvidence, path: string, run: FinishedRun): TestRow[] {
  const { claim } = feature
  const file = 'evidence.json'
  const base = (where: string) => ({
    ...{
      feature: claim.feature,
      name: null,
      intervention: null,
      dose: null,
      control: null,
      registered: false,
      controls: null,
    },
    ...{ documents: null, dz: null, p: null, q: null, smallestEffect: null, minimumDetectableEffect: null },
    source: { run: run.manifest.id, file, sha256: run.manifest.files[file] ?? null, where: `${path}.${where}` },
  })
  const rows: TestRow[] = []
  for (const intervention of ['ablate', 'steer'] as const) {
    const found = feature[intervention]
    if (!found) continue
    for (const metric of ['target', 'loss', 'kl'] as const)
      rows.push(
        ...metricRows(found, intervention, metric, { registered: intervention === claim.primary, base }).map(row => ({
          ...row,
          smallestEffect: metric === 'target' ? claim.smallestEffect : null,
        })),
      )
  }
  feature.doseCurve.forEach((point, i) => {
    for (const metric of ['target', 'loss', 'kl'] as const)
      rows.push({
        ...base(`doseCurve.${i}.${metric}`),
        ...{ kind: 'dose', intervention: 'steer', dose: point.dose, metric },
        ...effectOf(point[metric]),
      })
  })
  if (feature.sideEffect)
    rows.push({
      ...base('sideEffect'),
      ...{ kind: 'side-effect', intervention: 'steer', dose: claim.dose, metric: 'kl' },
      ...effectOf(feature.sideEffect),
    })
  feature.robustness.forEach(({ intervention, field, value, documents, mean, low, high }, i) => {
    rows.push({
      ...base(`robustness.${i}`),
      ...{ kind: 'stratum', name: `${field}=${value}`, intervention, metric: 'target' },
      ...{ estimate: mean, low, high, documents },
    })
  })
  for (const [name, found] of Object.entries(feature.studies)) if (found) rows.push(...studyRows(name, found, base))
  return rows
}

type Base = (where: string) => Omit<TestRow, 'kind' | 'metric' | 'estimate' | 'low' | 'high'>

/** The latent's own effect on a metric, then against each kind of control. */
function metricRows(
  found: InterventionEvidence,
  intervention: 'ablate' | 'steer',
  metric: 'target' | 'loss' | 'kl',
  { registered, base }: { registered: boolean; base: Base },
): TestRow[] {
  const { effect, controls } = found.metrics[metric]
  const shared = {
    kind: 'main' as const,
    intervention,
    dose: found.dose,
    metric,
    registered: registered && metric === 'target',
  }
  const main =
    metric === 'target'
      ? { q: found.test.q, minimumDetectableEffect: found.power?.minimumDetectableEffect ?? null }
      : {}
  return [
    { ...base(`${intervention}.metrics.${metric}.effect`), ...shared, ...effectOf(effect), ...main },
    ...controls.map((control, i) => ({
      ...base(`${intervention}.metrics.${metric}.controls.${i}`),
      ...shared,
      ...againstControl(control, effect.documents),
    })),
  ]
}

function againstControl(found: Comparison, documents: number) {
  const { control, difference: estimate, low, high, p, mean, spread, count } = found
  return { control, estimate, low, high, p, documents, controls: { mean, ...spread, count } }
}

function effectOf({ mean, low, high, documents, dz, p }: Effect) {
  return { estimate: mean, low, high, documents, dz, p }
}

/** Whatever of a study is an effect with an interval, by its path within the study. */
function studyRows(name: string, found: object, base: Base): TestRow[] {
  const rows: TestRow[] = []
  const walk = (value: unknown, path: string): void => {
    if (value === null || typeof value !== 'object') return
    if (Array.isArray(value)) {
      for (const [i, one] of value.entries()) walk(one, `${path}.${i}`)
      return
    }
    const part = value as Readonly<Record<string, unknown>>
    const key = ['mean', 'difference', 'estimate', 'ratio'].find(key => typeof part[key] === 'number')
    if (key !== undefined && 'low' in part && 'high' in part)
      rows.push({
        ...base(`studies.${name}${path}`),
        ...{ kind: 'study', name, metric: path.slice(1) || name },
        ...{ estimate: part[key] as number, low: numberOf(part.low), high: numberOf(part.high) },
        ...{ dz: numberOf(part.dz), p: numberOf(part.p), q: numberOf(part.q), documents: numberOf(part.documents) },
        control: typeof part.control === 'string' ? part.control : null,
      })
    for (const [inner, one] of Object.entries(part)) walk(one, `${path}.${inner}`)
  }
  walk(found, '')
  return rows
}

const numberOf = (value: unknown) => (typeof value === 'number' ? value : null)
