/** The evidence part of the report: verdicts, effects against controls, dose curves, selectivity and robustness. */
import { join } from 'node:path'
import { words } from '../../core/text.ts'
import { type Evidence, readEvidence as readEvidenceFile } from '../../validation/evidence.ts'
import { type Estimate, forestPlot, lineChart } from '../charts/charts.ts'
import { short } from '../charts/scale.ts'
import { escapeHtml } from '../html.ts'
import { table } from './page.ts'

type FeatureEvidence = Evidence['features'][number]
type EffectSummary = FeatureEvidence['doseCurve'][number]['target']

/** The evidence of a validate run. */
export const readEvidence = (directory: string): Promise<Evidence> => readEvidenceFile(join(directory, 'evidence.json'))

/** The whole part; `names` are the features' labels, where there are any. */
export function validationHtml(evidence: Evidence, names: ReadonlyMap<number, string>): string {
  const nameOf = ({ claim }: FeatureEvidence) => {
    const name = claim.concept ?? names.get(claim.feature) ?? ''
    return name ? `${claim.feature} ${name}` : String(claim.feature)
  }
  return `${verdictTable(evidence, nameOf)}
<div class="charts" style="margin-top:14px">${effectPlot(evidence, nameOf)}${differencePlot(evidence, nameOf)}</div>
<h3 style="margin:18px 0 8px">Dose curves</h3>
<p class="soft">Steering by the error-preserving edit; dose 1 is the latent’s p99 activation. Shaded: bootstrap interval over documents.</p>
<div class="charts">${evidence.features.map(feature => doseChart(feature, nameOf(feature))).join('')}</div>
<h3 style="margin:18px 0 8px">Reconstruction</h3>
${reconstructionHtml(evidence.reconstruction)}
${evidence.features.map(feature => detailsHtml(feature, nameOf(feature))).join('')}
<details><summary>What the metrics mean</summary>${table(
    ['Name', 'Definition'],
    Object.entries(evidence.definitions).map(([name, text]) => [
      `<code>${escapeHtml(name)}</code>`,
      `<span style="white-space:normal">${escapeHtml(text)}</span>`,
    ]),
  )}</details>`
}

const pill = (verdict: string) => `<span class="pill ${verdict}">${escapeHtml(verdict)}</span>`

function verdictTable({ features }: Evidence, nameOf: (feature: FeatureEvidence) => string): string {
  const rows = features.map(feature => {
    const primary = feature[feature.claim.primary]
    const foreign = primary?.metrics.target.controls.find(({ control }) => control === 'foreign')
    return [
      `<a href="#latent-${feature.claim.feature}">${escapeHtml(nameOf(feature))}</a>`,
      pill(feature.verdict),
      interval(primary?.metrics.target.effect),
      foreign ? `${short(foreign.difference)} [${short(foreign.low)}, ${short(foreign.high)}]` : '–',
      short(primary?.test.q),
      feature.selectivity
        ? `${short(feature.selectivity.auroc)} [${short(feature.selectivity.low)}, ${short(feature.selectivity.high)}]`
        : '–',
      short(feature.sideEffect?.mean),
      short(primary?.power.minimumDetectableEffect),
    ]
  })
  return table(
    [
      'Feature',
      'Verdict',
      '#Effect, nats',
      '#Beyond other latents',
      '#q',
      '#AUROC',
      '#Side effect, KL',
      '#Detectable from',
    ],
    rows,
  )
}

const interval = (effect: EffectSummary | undefined) =>
  effect ? `${short(effect.mean)} [${short(effect.low)}, ${short(effect.high)}]` : '–'

/** Estimates whose ends are all known. */
const complete = (estimates: readonly (Estimate | undefined)[]) => estimates.filter(estimate => estimate !== undefined)

function effectPlot({ features }: Evidence, nameOf: (feature: FeatureEvidence) => string): string {
  const estimates = features.map((feature): Estimate | undefined => {
    const primary = feature[feature.claim.primary]
    const effect = primary?.metrics.target.effect
    if (!effect || effect.mean === null || effect.low === null || effect.high === null) return undefined
    const foreign = primary?.metrics.target.controls.find(({ control }) => control === 'foreign')
    const known = foreign && foreign.mean !== null && foreign.deviation !== null
    return {
      name: nameOf(feature),
      value: effect.mean,
      low: effect.low,
      high: effect.high,
      state: feature.verdict,
      ...(known
        ? {
            controlLow: foreign.mean! - 1.96 * foreign.deviation!,
            controlHigh: foreign.mean! + 1.96 * foreign.deviation!,
          }
        : {}),
    }
  })
  return forestPlot(
    {
      title: 'Effect on the target (grey: 95 % of other latents at equal norm)',
      x: 'change of the target, nats',
      y: '',
    },
    complete(estimates),
  )
}

function differencePlot({ features }: Evidence, nameOf: (feature: FeatureEvidence) => string): string {
  const estimates = features.map((feature): Estimate | undefined => {
    const controls = feature[feature.claim.primary]?.metrics.target.controls ?? []
    const foreign = controls.find(({ control }) => control === 'foreign')
    if (!foreign || foreign.difference === null || foreign.low === null || foreign.high === null) return undefined
    return {
      name: nameOf(feature),
      value: foreign.difference,
      low: foreign.low,
      high: foreign.high,
      state: feature.verdict,
    }
  })
  return forestPlot({ title: 'Effect beyond other latents', x: 'difference, nats', y: '' }, complete(estimates))
}

function doseChart({ doseCurve }: FeatureEvidence, name: string): string {
  const points = doseCurve.filter(({ target }) => target.mean !== null)
  const line = (pick: (point: (typeof points)[number]) => EffectSummary, label: string, tone: number) => ({
    name: label,
    tone,
    points: points.map(point => [point.dose, pick(point).mean ?? Number.NaN] as const),
    low: points.map(point => pick(point).low ?? pick(point).mean ?? 0),
    high: points.map(point => pick(point).high ?? pick(point).mean ?? 0),
  })
  return lineChart(
    { title: name, x: 'dose', y: 'nats' },
    [line(({ target }) => target, 'target', 0), line(({ kl }) => kl, 'KL', 1)],
    { height: 200 },
  )
}

/** Nested figures as one table: `spliced.ce` and so on. */
function reconstructionHtml(reconstruction: Readonly<Record<string, unknown>>): string {
  const rows: string[][] = []
  const walk = (value: unknown, path: string) => {
    if (typeof value === 'number' || value === null) rows.push([escapeHtml(words(path)), short(value, 4)])
    else if (typeof value === 'object' && !Array.isArray(value))
      for (const [key, part] of Object.entries(value)) walk(part, path ? `${path} ${key}` : key)
  }
  walk(reconstruction, '')
  return table(['Metric', '#Value'], rows)
}

function detailsHtml(feature: FeatureEvidence, name: string): string {
  const { claim, robustness, causal, selectivity } = feature
  const strata = robustness
    .filter(({ intervention }) => intervention === claim.primary)
    .map(({ field, value, documents, mean, low, high, ratio, ratioLow, ratioHigh }) => [
      escapeHtml(`${field} ${value}`),
      String(documents),
      `${short(mean)} [${short(low)}, ${short(high)}]`,
      `${short(ratio)} [${short(ratioLow)}, ${short(ratioHigh)}]`,
    ])
  const reasons = [`causal: ${causal.reason}`, ...(selectivity ? [`selectivity: ${selectivity.reason}`] : [])]
  return `<details><summary>${escapeHtml(name)}: claim, reasons and robustness</summary>
<p>${escapeHtml(claim.hypothesis)}</p>
<p class="soft">${escapeHtml(reasons.join('. '))}. Smallest effect of interest ${short(claim.smallestEffect)} nats, α ${short(claim.alpha)}, power ${short(claim.power)}. Sham: ${short(feature.sham)}.</p>
${strata.length > 0 ? table(['Stratum', '#Documents', '#Effect', '#Ratio to pooled'], strata) : ''}
</details>`
}
