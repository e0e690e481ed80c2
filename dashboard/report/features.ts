/** The features part of the report: a card a latent, with label, evidence, logit effects and highlighted examples. */
import { clip, visible } from '../../core/visible.ts'
import { type Feature, isLabelled } from '../../labels/feature.ts'
import { figureOf, histogram, short } from '../charts/index.ts'
import { escapeHtml, shown } from '../html.ts'
import type { ShownExample } from '../read/examples.ts'
import { documentsText, interventionText } from './claim-text.ts'
import { pill } from './page.ts'
import { shades } from './style.ts'

/** How many top examples stand open; the rest fold away. */
const openExamples = 4

/** Characters of a token, and of a feature's label, that a page shows at most. */
const tokenLength = 60
const labelLength = 200

/** Tokens of an example, and promoted or suppressed tokens, that a page shows at most. */
const mostTokens = 400
const mostPromoted = 40

/** Latents to show: those tested first, then those whose label fits best, at most `count`. */
export function chooseFeatures(features: readonly Feature[], count: number): Feature[] {
  const rank = ({ evidence, labelKind }: Feature) =>
    evidence ? 0 : labelKind === 'concept' ? 1 : labelKind === 'none' ? 3 : 2
  return features
    .filter(({ density, evidence }) => density > 0 || evidence)
    .sort((a, b) => rank(a) - rank(b) || (b.labelF1 ?? 0) - (a.labelF1 ?? 0) || a.latent - b.latent)
    .slice(0, count)
}

/** A feature's card. */
export function featureCard(feature: Feature, examples: readonly ShownExample[]): string {
  const { latent, label, evidence } = feature
  const top = examples.filter(({ group }) => group === 'top')
  const bands = examples.filter(({ group }) => group.startsWith('band-'))
  const scale = feature.maxActivation || 1
  const folded = [...top.slice(openExamples), ...bands]
  const name = label === null ? '<span class="soft">no label</span>' : shown(label, labelLength)
  return `<article class="feature" id="latent-${latent}">
<header><h3>Latent ${latent}</h3><span>${name}</span>${evidence ? ` ${pill(evidence.verdict)}` : ''}</header>
<div class="facts">${factsOf(feature).join(' · ')}</div>
${tokenRow('promotes', feature.promoted)}${tokenRow('suppresses', feature.suppressed)}
${top
  .slice(0, openExamples)
  .map(example => exampleLine(example, scale))
  .join('\n')}
<details><summary>Distribution, ${Math.max(0, top.length - openExamples)} more strong and ${bands.length} weaker examples</summary>
${activationHistogram(feature)}
${folded.map(example => exampleLine(example, scale)).join('\n')}
</details>
</article>`
}

/** What is known of a latent in a line; each part is HTML. */
function factsOf(feature: Feature): string[] {
  const { evidence } = feature
  const facts = [
    feature.density > 0
      ? `fires on ${short(feature.density * 100)} % of tokens, mean ${short(feature.meanActivation)}, largest ${short(feature.maxActivation)}`
      : 'never fired on the tokens read for labels',
  ]
  if (feature.labelKind === 'explanation')
    facts.push(
      `label by ${shown(feature.labelSource ?? '')}, detection ${short(feature.labelScore)} [${short(feature.labelScoreLow)}, ${short(feature.labelScoreHigh)}], covers ${short((feature.labelCoverage ?? 0) * 100)} % of its activation`,
    )
  else if (feature.rule)
    facts.push(
      `${isLabelled(feature) ? 'label by rule' : 'no label: its best rule has'} F1 ${short(feature.labelF1)} (precision ${short(feature.labelPrecision)}, recall ${short(feature.labelRecall)}, base rate ${short(feature.labelBaseRate)})`,
    )
  if (feature.stability !== null) facts.push(`|cosine| in the other SAE ${short(feature.stability)}`)
  if (evidence && evidence.effect !== null) {
    const about = evidence.concept === null ? '' : ` for ${shown(evidence.concept)}`
    facts.push(
      `${interventionText(evidence.intervention, evidence.dose)}${about}: ${escapeHtml(evidence.metric)} ${short(evidence.effect)} [${short(evidence.effectLow)}, ${short(evidence.effectHigh)}] over ${documentsText(evidence.documents)}, q ${short(evidence.q)}`,
    )
  }
  return facts
}

function activationHistogram({ histogram: { edges, counts } }: Feature): string {
  return figureOf(histogram, { x: 'activation', y: 'tokens', edges, counts }, { title: 'Activations where it fires' })
}

function tokenRow(name: string, tokens: readonly { token: string; effect: number }[]): string {
  if (tokens.length === 0) return ''
  const parts = tokens
    .slice(0, mostPromoted)
    .map(({ token, effect }) => `<span title="${short(effect)}">${tokenText(token, true)}</span>`)
  return `<div class="tokens"><small>${name}</small>${parts.join('')}</div>`
}

/** What a line of an example shows. */
export type Shown = Omit<ShownExample, 'group'> & { readonly group?: string }

/** One example: each token shaded by the latent's activation there, as a share of the latent's largest. */
export function exampleLine(
  { tokens, activations, position, start, activation, window }: Shown,
  scale: number,
): string {
  const parts = tokens.slice(0, mostTokens).map((token, i) => {
    const value = activations[i] ?? 0
    if (value <= 0) return tokenText(token)
    const shade = Math.ceil(shades * Math.min(1, value / scale))
    const peak = start + i === position ? ' peak' : ''
    return `<mark class="s${shade}${peak}" title="${short(value)}">${tokenText(token)}</mark>`
  })
  const separator = tokens.some(token => /^\s|\s$/.test(token)) ? '' : ' '
  return `<div class="example"><b title="${shown(window)}, position ${position}">${short(activation)}</b>${parts.join(separator)}</div>`
}

/** A token as HTML: line breaks as signs, what cannot be seen written out, a long one cut; `alone` also shows its spaces. */
export function tokenText(token: string, alone = false): string {
  const signs = clip(token, tokenLength).replace(/\n/g, '↵').replace(/\t/g, '⇥')
  const text = escapeHtml(visible(alone ? signs.replace(/^ | $/g, '·') : signs))
  return text === '' ? '∅' : text
}

/** Histogram of the densities of latents that fired, on a logarithmic axis. */
export function densityHistogram(features: readonly Feature[]): string {
  const fired = features.filter(({ density }) => density > 0).map(({ density }) => Math.log10(density))
  const low = fired.reduce((least, value) => Math.min(least, Math.floor(value)), -3)
  const bins = -low * 5
  const counts = new Array<number>(bins).fill(0)
  for (const value of fired) counts[Math.min(bins - 1, Math.floor((value - low) * 5))]!++
  const edges = Array.from({ length: bins + 1 }, (_, i) => low + i / 5)
  const title = `How often latents fire (the ${fired.length} of ${features.length} that did on the tokens read for labels)`
  return figureOf(
    histogram,
    { x: 'share of tokens', y: 'latents', edges, counts, tick: edge => short(10 ** edge) },
    { title },
  )
}
