/** A tested feature on the page: its verdict in a sentence, the effect with each control beneath, curve, strata, what would change it. */
import { type FeatureEvidence, flagsOf } from '../../validation/evidence.ts'
import { type Estimate, forestPlot } from '../charts/charts.ts'
import { short } from '../charts/scale.ts'
import { escapeHtml, shown } from '../html.ts'
import { documentsText, interventionText } from './features.ts'
import { changesHtml, findingsHtml } from './findings.ts'
import { leftOut, pill, table } from './page.ts'

/** Strata of one latent. */
const mostStrata = 60

/** How the page calls a kind of control. */
const controlNames: Readonly<Record<string, string>> = {
  tied: 'random directions that fire as often',
  random: 'random directions, equal norm',
  foreign: 'other latents, equal norm',
  covariance: 'directions along the values’ variation',
}

export interface Card {
  readonly feature: FeatureEvidence
  readonly name: string
  /** What links lead to; absent where another part of the page has it. */
  readonly id?: string | undefined
  /** The dose curve, where there is one. */
  readonly curve: string
}

/** The whole card. */
export function claimCard({ feature, name, id, curve }: Card): string {
  const { claim, causal, selectivity, tier } = feature
  const reasons = [`Causal: ${causal.reason}`, ...(selectivity ? [`selectivity: ${selectivity.reason}`] : [])]
  const more = feature.reasons.slice(reasons.length)
  return `<article class="claim"${id === undefined ? '' : ` id="${escapeHtml(id)}"`}>
<header><h3>${shown(name)}</h3>${pill(feature.verdict)} <span class="tier">${shown(tier.tier)}</span>${flagsHtml(feature)}</header>
<p>${verdictSentence(feature)}</p>
<p class="soft">${shown([...reasons, ...more].join('. '), 1000)}.</p>
${controlTable(feature)}
<div class="charts">${curve}${strataMap(feature)}</div>
${findingsHtml(feature)}
${conditionsHtml(feature)}
${changesHtml(feature)}
<details><summary>Claim and strata</summary>
<p>${shown(claim.hypothesis, 600)}</p>
<p class="soft">Stated by ${claim.stated === 'file' ? 'a file of claims' : 'the settings'}. Smallest effect of interest ${short(claim.smallestEffect)} nats, α ${short(claim.alpha)}, power ${short(claim.power)}. Sham: ${short(feature.sham)}.</p>
${strataTable(feature)}
</details>
</article>`
}

/** What studies found that the verdict does not show. */
function flagsHtml({ studies }: FeatureEvidence): string {
  const flags = flagsOf(studies)
  return flags.length === 0 ? '' : ` <span class="warning">but ${shown(flags.join('; '), 300)}</span>`
}

const primaryOf = (feature: FeatureEvidence) => feature[feature.claim.primary]

/** What was done, what it did, on how many documents, and how far that goes. */
export function verdictSentence(feature: FeatureEvidence): string {
  const { claim, tier, verdict } = feature
  const primary = primaryOf(feature)
  const effect = primary?.metrics.target.effect
  const about = claim.concept === null ? 'what follows where it is active' : `<b>${shown(claim.concept)}</b>`
  if (!primary || !effect || effect.mean === null)
    return `Nothing was measured of ${about}: the claim is <b>${shown(tier.tier)}</b>.`
  const moved = effect.mean < 0 ? 'lowers' : 'raises'
  const ends = effect.low === null || effect.high === null ? '' : ` (${short(effect.low)} to ${short(effect.high)})`
  const beaten = {
    pass: 'beyond every kind of control',
    fail: 'which the rule refutes',
    inconclusive: 'which decides nothing yet',
    'not-run': 'which was not tested',
  }[verdict]
  const act = interventionText(claim.primary, claim.dose)
  return `${act.charAt(0).toUpperCase()}${escapeHtml(act.slice(1))} ${moved} the target of ${about} by ${short(Math.abs(effect.mean))} nats${ends} over ${documentsText(effect.documents)}, ${beaten}. The claim is <b>${shown(tier.tier)}</b> (${shown(tier.rule.replaceAll('-', ' '))}).`
}

type Ends = { readonly low: number | null; readonly high: number | null }

/** A value, and its interval below it where there is one. */
export function withInterval(value: number | null | undefined, ends: Ends | undefined): string {
  if (value === null || value === undefined || !ends) return '–'
  return ends.low === null || ends.high === null
    ? short(value)
    : `${short(value)}<small>${short(ends.low)} to ${short(ends.high)}</small>`
}

/** The latent's effect, and beneath it each kind of control. */
function controlTable(feature: FeatureEvidence): string {
  const primary = primaryOf(feature)
  if (!primary) return ''
  const { effect, controls } = primary.metrics.target
  const own = ['this latent', documentsText(effect.documents), withInterval(effect.mean, effect), '–', '–']
  const rows = controls.map(({ control, count, mean, spread, difference, low, high, p }) => [
    shown(controlNames[control] ?? control),
    short(count),
    withInterval(mean, spread),
    withInterval(difference, { low, high }),
    short(p),
  ])
  return table(['Direction', '#How many', '#Effect, nats', '#Latent less it', '#p'], [own, ...rows])
}

/** Effects by stratum with their intervals, the pooled one first. */
function strataMap(feature: FeatureEvidence): string {
  const { claim, robustness } = feature
  const effect = primaryOf(feature)?.metrics.target.effect
  const estimate = (name: string, value: number | null, { low, high }: Ends, state: string): Estimate[] =>
    value === null || low === null || high === null ? [] : [{ name, value, low, high, state }]
  const strata = robustness
    .filter(({ intervention }) => intervention === claim.primary)
    .slice(0, 24)
    .flatMap(one =>
      estimate(`${one.field} ${one.value} (${one.documents})`, one.mean, one, stateOf(one, claim.direction)),
    )
  if (strata.length === 0 || !effect) return ''
  const pooled = estimate(`all (${effect.documents})`, effect.mean, effect, feature.verdict)
  return forestPlot({ title: 'By stratum (documents)', x: 'change of the target, nats', y: '' }, [...pooled, ...strata])
}

/** Whether a stratum's interval lies on the claimed side of 0, on the other, or on both. */
function stateOf({ low, high }: Ends, direction: 'increase' | 'decrease'): string {
  if (low === null || high === null) return 'inconclusive'
  const [near, far] = direction === 'increase' ? [low, high] : [-high, -low]
  return near > 0 ? 'pass' : far < 0 ? 'fail' : 'inconclusive'
}

function strataTable({ claim, robustness }: FeatureEvidence): string {
  const found = robustness.filter(({ intervention }) => intervention === claim.primary)
  const rows = found
    .slice(0, mostStrata)
    .map(({ field, value, documents, mean, low, high, ratio, ratioLow, ratioHigh }) => [
      shown(`${field} ${value}`),
      String(documents),
      withInterval(mean, { low, high }),
      withInterval(ratio, { low: ratioLow, high: ratioHigh }),
    ])
  if (rows.length === 0) return ''
  return `${table(['Stratum', '#Documents', '#Effect', '#Ratio to pooled'], rows)}${leftOut(found.length - rows.length, 'strata are in evidence.json')}`
}

/** Conditions that the claim states for itself. */
function conditionsHtml({ strataHeld, falsifiers }: FeatureEvidence): string {
  const items = [
    ...strataHeld.map(({ verdict, reason }) => `${pill(verdict)} ${shown(reason, 300)}`),
    ...falsifiers.map(
      ({ falsifier, value, state }) =>
        `<b>${shown(state)}</b>: <code>${shown(falsifier.path)}</code>, now ${shown(String(value ?? 'not known'))}`,
    ),
  ]
  if (items.length === 0) return ''
  return `<h4>What the claim says of itself</h4><ul>${items.map(item => `<li>${item}</li>`).join('')}</ul>`
}
