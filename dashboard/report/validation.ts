/** The evidence part of the report: verdicts, effects against controls, dose curves, selectivity and robustness. */
import { words } from '../../core/text.ts'
import { definitions, type Evidence, type FeatureEvidence } from '../../validation/evidence.ts'
import { type Estimate, type ForestRow, figureOf, forest, short } from '../charts/index.ts'
import { shown } from '../html.ts'
import type { Origin } from '../origin.ts'
import { type Card, claimCard, withInterval } from './claim-card.ts'
import { controlPlace, differencePlace, effectPlace, originOfRows, type RowPlace } from './claim-origin.ts'
import { documentsText, interventionText, verdictMeanings } from './claim-text.ts'
import { type Column, leftOut, pill, table } from './page.ts'

/** Tested latents in the table, in the plots, and those with details of their own. */
const mostTested = 200
const mostPlotted = 40
const mostDetailed = 40

/** What the part needs to know of the page around it. */
export interface Surroundings {
  /** Labels by latent. */
  readonly names: ReadonlyMap<number, string>
  /** Latents that have a card on the page. */
  readonly cards: ReadonlySet<number>
  /** The run of the evidence, where numbers lead to it. */
  readonly run?: string | undefined
  /** What a claim's card begins with, and what follows its pictures. HTML. */
  readonly around?: ((feature: FeatureEvidence) => Pick<Card, 'first' | 'after'>) | undefined
}

/** A tested latent and how it is called and found on the page. */
interface Tested {
  readonly feature: FeatureEvidence
  readonly name: string
  /** Where the page says more of it. */
  readonly anchor: string | undefined
}

/** The whole part. */
export function validationHtml(evidence: Evidence, { names, cards, run, around }: Surroundings): string {
  const all = evidence.features.map((feature, i): Tested => {
    const { claim } = feature
    const name = claim.concept ?? names.get(claim.feature) ?? ''
    const anchor = cards.has(claim.feature)
      ? `latent-${claim.feature}`
      : i < mostDetailed
        ? `claim-${claim.feature}`
        : undefined
    return { feature, name: name ? `${claim.feature} ${name}` : String(claim.feature), anchor }
  })
  const tested = all.slice(0, mostTested)
  const plotted = all.slice(0, mostPlotted)
  const detailed = all.slice(0, mostDetailed)
  if (all.length === 0)
    return `<p class="nothing">No claim was tested. Read on ${windowsText(evidence)}.</p>${afterClaims(evidence, run)}`
  return `${baselinesHtml(evidence, run)}${meaningsHtml}${verdictTable(tested, run)}
${leftOut(all.length - tested.length, 'tested latents are in evidence.json')}
<p class="soft">Effect: mean change of the target over documents, with its interval. Beyond other latents: the same less that of other active latents at equal norm. Detectable from: the smallest effect beyond the hardest controls that these documents and controls would have shown; q is against all kinds of control, random directions that fire as often among them. Read on ${windowsText(evidence)}.</p>
<div class="charts">${effectPlot(plotted, run)}${differencePlot(plotted, run)}</div>${leftOut(tested.length - plotted.length, 'are in the table above')}
<h3 class="sub">Claims</h3>
<p class="soft">Curves are of steering by the error-preserving edit; dose 1 is the latent’s p99 activation. Shaded: interval over documents.</p>
<div class="claims">${detailed.map(one => cardOf(one, run, around?.(one.feature))).join('')}
${leftOut(all.length - detailed.length, 'claims are in evidence.json')}</div>
${afterClaims(evidence, run)}`
}

/** What the verdicts of the table mean, before them. */
const meaningsHtml = `<p class="soft">A latent is put to the test by editing it where text activates it, and beside it each kind of control. ${Object.entries(
  verdictMeanings,
)
  .map(([verdict, meaning]) => `<b>${verdict}</b>: ${meaning}`)
  .join('; ')}.</p>`

/** What the SAE leaves of its input, and what the names of figures mean. */
const afterClaims = (evidence: Evidence, run: string | undefined): string =>
  `<h3 class="sub">Reconstruction</h3>
${reconstructionHtml(evidence.reconstruction, run)}
<div class="claims"><details><summary>What the metrics mean</summary>${table(
    ['Name', 'Definition'],
    Object.entries(evidence.definitions).map(([name, text]) => [`<code>${shown(name)}</code>`, shown(text, 500)]),
  )}</details></div>`

const cardOf = (tested: Tested, run: string | undefined, around: Pick<Card, 'first' | 'after'> = {}) =>
  claimCard({
    ...{ feature: tested.feature, ...around },
    ...{ name: tested.name, run },
    id: tested.anchor === `claim-${tested.feature.claim.feature}` ? tested.anchor : undefined,
  })

/** What stands first: whether the SAE is ahead of those that learned less or nothing. */
function baselinesHtml({ studies: { baselines } }: Evidence, run: string | undefined): string {
  if (!baselines) return ''
  const { trained, together } = baselines
  const share = ({ claims, passed, share }: typeof trained) =>
    `${passed} of ${claims}${share === null ? '' : ` (${short(100 * share)} %)`}`
  const rows = baselines.baselines.map(one => [
    shown(one.text),
    share(one),
    withInterval(one.difference, one),
    shown(one.ahead),
  ])
  if (rows.length > 1)
    rows.push(['all of them', share(together), withInterval(together.difference, together), shown(together.ahead)])
  return `<p class="${baselines.ahead === 'yes' ? 'soft' : 'warning'}"><b>${shown(capitalised(baselines.summary), 400)}</b></p>
${table(
  [
    'SAE',
    {
      name: '#Claims that pass',
      path: 'share',
      definition: 'share of its claims that pass by the same rule on the same text',
    },
    {
      name: '#The lead of the SAE under test',
      path: 'difference',
      definition: 'its share of passing claims less that of this one, with its interval',
    },
    { name: 'Ahead', definition: 'yes where the interval of the lead lies above 0' },
  ],
  [['<b>the SAE under test</b>', share(trained), '–', '–'], ...rows],
  run === undefined
    ? undefined
    : {
        ...{ run, file: 'evidence.json', split: 'validation' },
        where: row =>
          `studies.baselines.${row === 0 ? 'trained' : row > baselines.baselines.length ? 'together' : `baselines[${row - 1}]`}`,
      },
)}`
}

function windowsText({ splits: { discovery, validation, outOfDistribution, nearDuplicates } }: Evidence): string {
  const { dropped, merged } = nearDuplicates
  const copies =
    dropped + merged > 0
      ? `; ${dropped} near-${dropped === 1 ? 'duplicate' : 'duplicates'} left out, ${merged} counted as one with another`
      : ''
  return `${discovery.length} discovery, ${validation.length} validation and ${outOfDistribution.length} out-of-distribution windows${copies}`
}

const primaryOf = (feature: FeatureEvidence) => feature[feature.claim.primary]
const foreignOf = (feature: FeatureEvidence) =>
  primaryOf(feature)?.metrics.target.controls.find(({ control }) => control === 'foreign')

function verdictTable(tested: readonly Tested[], run: string | undefined): string {
  const rows = tested.map(({ feature, name, anchor }) => {
    const { claim, selectivity, sideEffect } = feature
    const primary = primaryOf(feature)
    const effect = primary?.metrics.target.effect
    const how = `<small>${interventionText(claim.primary, claim.dose)}</small><small>${documentsText(effect?.documents ?? 0)}</small>`
    return [
      anchor === undefined ? shown(name) : `<a href="#${anchor}">${shown(name)}</a>`,
      `${pill(feature.verdict)}<small>${shown(feature.tier.tier)}</small>`,
      how,
      withInterval(effect?.mean, effect),
      withInterval(foreignOf(feature)?.difference, foreignOf(feature)),
      short(primary?.test.q),
      withInterval(selectivity?.auroc, selectivity ?? undefined),
      short(sideEffect?.mean),
      short(primary?.power?.minimumDetectableEffect),
    ]
  })
  const columns: Column[] = [
    ...['Feature', 'Verdict', 'Intervention'],
    { name: '#Effect, nats', path: 'metrics.target.effect.mean', definition: definitions.target! },
    { name: '#Beyond other latents', path: 'metrics.target.controls', definition: definitions.difference! },
    { name: '#q', path: 'test.q', definition: definitions.q! },
    { name: '#AUROC', definition: definitions.auroc! },
    { name: '#Side effect, KL', definition: definitions.kl! },
    {
      name: '#Detectable from',
      path: 'power.minimumDetectableEffect',
      definition: definitions.minimumDetectableEffect!,
    },
  ]
  const origin =
    run === undefined
      ? undefined
      : originOfClaims(
          run,
          tested.map(({ feature }) => feature),
        )
  return table(columns, rows, origin)
}

/** Rows of a table that are claims' primary interventions, in the evidence. */
const originOfClaims = (run: string, features: readonly FeatureEvidence[]): Origin => ({
  ...{ run, file: 'evidence.json', split: 'validation' },
  where: row =>
    `features[] | select(.claim.feature==${features[row]!.claim.feature}) | .${features[row]!.claim.primary}`,
  n: row => documentsText(primaryOf(features[row]!)?.metrics.target.effect.documents ?? 0),
})

function effectPlot(tested: readonly Tested[], run: string | undefined): string {
  const rows = tested.map(({ feature, name }): ForestRow => {
    const effect = primaryOf(feature)?.metrics.target.effect
    const foreign = foreignOf(feature)
    const controls: Estimate[] = foreign
      ? [{ name: 'other latents, equal norm', value: foreign.mean, ...foreign.spread, n: `${foreign.count} drawn` }]
      : []
    return {
      ...{ name, value: effect?.mean ?? null, low: effect?.low ?? null, high: effect?.high ?? null },
      ...{ state: feature.verdict, n: `n ${effect?.documents ?? 0}`, controls },
    }
  })
  const effectRows = tested.flatMap(({ feature }): RowPlace[] => {
    const foreign = foreignOf(feature)
    return [
      effectPlace(feature, feature.claim.primary),
      ...(foreign ? [controlPlace(feature, feature.claim.primary, foreign)] : []),
    ]
  })
  const levels = new Set(tested.map(({ feature }) => feature.claim.alpha))
  const [alpha] = levels
  const share = levels.size === 1 ? `the middle ${short(100 * (1 - alpha!))} %` : 'the middle'
  return figureOf(
    forest,
    { x: 'change of the target, nats', rows },
    {
      title: 'Effect on the target',
      note: `Beneath each in grey: ${share} of other latents at equal norm, by quantiles.`,
      origin: originOfRows(run, effectRows),
    },
  )
}

function differencePlot(tested: readonly Tested[], run: string | undefined): string {
  // An SAE of one latent has no others.
  if (tested.every(({ feature }) => typeof foreignOf(feature)?.difference !== 'number')) return ''
  const rows = tested.map(({ feature, name }): ForestRow => {
    const foreign = foreignOf(feature)
    const ends = { value: foreign?.difference ?? null, low: foreign?.low ?? null, high: foreign?.high ?? null }
    return { name, ...ends, state: feature.verdict, n: `n ${primaryOf(feature)?.metrics.target.effect.documents ?? 0}` }
  })
  return figureOf(
    forest,
    { x: 'difference, nats', rows },
    {
      title: 'Effect beyond other latents',
      origin: originOfRows(
        run,
        tested.map(({ feature }) => differencePlace(feature, feature.claim.primary, foreignOf(feature))),
      ),
    },
  )
}

/** Figures of the reconstruction that stand elsewhere on the page, or are long lists. */
const elsewhere = ['density', 'dead']

const capitalised = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

/** Nested figures as one table: `spliced.ce` and so on. */
function reconstructionHtml(reconstruction: Readonly<Record<string, unknown>>, run: string | undefined): string {
  const rows: string[][] = []
  const paths: string[] = []
  const walk = (value: unknown, path: string) => {
    if (elsewhere.includes(path)) return
    if (typeof value === 'number' || value === null) {
      rows.push([shown(words(path.replaceAll('.', ' '))), short(value, 4)])
      paths.push(path)
    } else if (typeof value === 'object' && !Array.isArray(value))
      for (const [key, part] of Object.entries(value)) walk(part, path ? `${path}.${key}` : key)
  }
  walk(reconstruction, '')
  const origin =
    run === undefined
      ? undefined
      : { run, file: 'evidence.json', where: (row: number) => `reconstruction.${paths[row]}` }
  return table(
    [
      'Metric',
      { name: '#Value', definition: 'of the model with the SAE’s reconstruction in its place, on held-out text' },
    ],
    rows.slice(0, 100),
    origin,
  )
}
