/** A tested feature on the page: its verdict in a sentence, the effect with each control beneath, curve, strata, what would change it. */
import { definitions, type FeatureEvidence, flagsOf } from '../../validation/evidence.ts'
import { short } from '../charts/index.ts'
import { escapeHtml, shown } from '../html.ts'
import { originOf } from '../origin.ts'
import { differenceFigure, doseFigure, effectFigure, selectivityFigure, strataFigure } from './claim-figures.ts'
import { claimPlace } from './claim-origin.ts'
import { documentsText, ruleText, verdictSentence } from './claim-text.ts'
import { changesHtml, findingsHtml } from './findings.ts'
import { type Column, leftOut, pill, table } from './page.ts'

/** Strata of one latent. */
const mostStrata = 60

export interface Card {
  readonly feature: FeatureEvidence
  readonly name: string
  /** What links lead to; absent where another part of the page has it. */
  readonly id?: string | undefined
  /** The run of the evidence, where numbers lead to it. */
  readonly run?: string | undefined
  /** Answers to the questions that one has of it, which then say what was measured. HTML. */
  readonly first?: string | undefined
  /** Whether these answers stand elsewhere on the page. */
  readonly isAnswered?: boolean
  /** What stands after the pictures. HTML. */
  readonly after?: string | undefined
}

/** In the order of evidence. */
const figures = [effectFigure, differenceFigure, doseFigure, strataFigure, selectivityFigure]

/** The whole card. */
export function claimCard({ feature, name, id, run, first = '', isAnswered = first !== '', after = '' }: Card): string {
  const { claim, causal, selectivity, tier } = feature
  const reasons = [`Causal: ${causal.reason}`, ...(selectivity ? [`Selectivity: ${selectivity.reason}`] : [])]
  const more = feature.reasons.slice(reasons.length)
  return `<article class="claim"${run === undefined ? '' : `${originOf({ run, file: 'evidence.json', split: 'validation' })} data-where="${escapeHtml(claimPlace(feature))} | " data-n="${documentsText(feature[claim.primary]?.metrics.target.effect.documents ?? 0)}"`}${id === undefined ? '' : ` id="${escapeHtml(id)}"`}>
<header><h3>${shown(name)}</h3>${pill(feature.verdict)} <span class="tier">${shown(tier.tier)}${isAnswered ? `: ${shown(ruleText(tier.rule))}` : ''}</span>${flagsHtml(feature)}</header>
${first}${isAnswered ? '' : `<p>${verdictSentence(feature)}</p>`}
<p class="soft">${shown([...reasons, ...more].join('. '), 1000)}.</p>
<div class="charts">${figures.map(figure => figure(feature, run)).join('')}</div>${after}
${findingsHtml(feature)}
${conditionsHtml(feature)}
${changesHtml(feature)}
<details><summary>Claim and strata</summary>
<p>${shown(claim.hypothesis, 600)}</p>
<p class="soft">Stated by ${claim.stated === 'file' ? 'a file of claims' : 'the settings'}. Smallest effect of interest ${short(claim.smallestEffect)} nats, α ${short(claim.alpha)}, power ${short(claim.power)}. Sham: ${short(feature.sham)}.</p>
${strataTable(feature, run)}
</details>
</article>`
}

/** What studies found that the verdict does not show. */
function flagsHtml({ studies }: FeatureEvidence): string {
  const flags = flagsOf(studies)
  return flags.length === 0 ? '' : ` <span class="warning">but ${shown(flags.join('; '), 300)}</span>`
}

type Ends = { readonly low: number | null; readonly high: number | null }

/** A value, and its interval below it where there is one. */
export function withInterval(value: number | null | undefined, ends: Ends | undefined): string {
  if (value === null || value === undefined || !ends) return '–'
  return ends.low === null || ends.high === null
    ? short(value)
    : `${short(value)}<small>${short(ends.low)} to ${short(ends.high)}</small>`
}

function strataTable(feature: FeatureEvidence, run: string | undefined): string {
  const { claim, robustness } = feature
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
  const columns: Column[] = [
    ...['Stratum', '#Documents'],
    { name: '#Effect', path: 'mean', definition: definitions.target },
    { name: '#Ratio to pooled', path: 'ratio', definition: 'the stratum’s mean effect by that of all documents' },
  ]
  const origin =
    run === undefined
      ? undefined
      : {
          ...{ run, file: 'evidence.json', split: 'validation' },
          where: (row: number) => `${claimPlace(feature)} | .robustness[${robustness.indexOf(found[row]!)}]`,
          n: (row: number) => documentsText(found[row]!.documents),
        }
  return `${table(columns, rows, origin)}${leftOut(found.length - rows.length, 'strata are in evidence.json')}`
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
