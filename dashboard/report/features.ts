/** The features part of the report: a card a latent, with label, evidence, logit effects and highlighted examples. */
import { type Feature, isLabelled } from '../../labels/feature.ts'
import { histogram } from '../charts/charts.ts'
import { short } from '../charts/scale.ts'
import { escapeHtml } from '../html.ts'

/** One example as examples.parquet holds it. */
export interface ShownExample {
  readonly group: string
  readonly window: string
  readonly position: number
  readonly start: number
  readonly activation: number
  readonly tokens: readonly string[]
  readonly activations: readonly number[]
}

/** How many top examples stand open; the rest fold away. */
const openExamples = 4

/** Latents to show: those tested first, then those whose label fits best, at most `count`. */
export function chooseFeatures(features: readonly Feature[], count: number): Feature[] {
  const rank = ({ evidence, labelKind }: Feature) =>
    evidence ? 0 : labelKind === 'concept' ? 1 : labelKind === 'token' || labelKind === 'previous-token' ? 2 : 3
  return features
    .filter(({ density }) => density > 0)
    .sort((a, b) => rank(a) - rank(b) || (b.labelF1 ?? 0) - (a.labelF1 ?? 0) || a.latent - b.latent)
    .slice(0, count)
}

/** A feature's card. */
export function featureCard(feature: Feature, examples: readonly ShownExample[]): string {
  const { latent, label, evidence } = feature
  const verdict = evidence ? ` <span class="pill ${evidence.verdict}">${escapeHtml(evidence.verdict)}</span>` : ''
  const facts = [
    `fires on ${short(feature.density * 100)} % of tokens`,
    `mean ${short(feature.meanActivation)}, largest ${short(feature.maxActivation)}`,
    ...(feature.rule !== null
      ? [
          `${isLabelled(feature) ? 'label' : 'best rule, too weak for a label'}: F1 ${short(feature.labelF1)} (precision ${short(feature.labelPrecision)}, recall ${short(feature.labelRecall)}, base rate ${short(feature.labelBaseRate)})`,
        ]
      : []),
    ...(evidence?.effect !== null && evidence?.effect !== undefined
      ? [
          `${evidence.intervention === 'steer' ? `steering at dose ${short(evidence.dose)}` : 'ablation'} ${short(evidence.effect)} [${short(evidence.effectLow)}, ${short(evidence.effectHigh)}] ${escapeHtml(evidence.metric)} over ${evidence.documents} documents, q ${short(evidence.q)}`,
        ]
      : []),
  ]
  const top = examples.filter(({ group }) => group === 'top')
  const bands = examples.filter(({ group }) => group !== 'top')
  const scale = feature.maxActivation || 1
  return `<article class="feature" id="latent-${latent}">
<header><h3>Latent ${latent}</h3><span>${(label && escapeHtml(label)) || '<span class="soft">no label</span>'}</span>${verdict}</header>
<div class="facts">${facts.join(' · ')}</div>
${tokenRow('promotes', feature.promoted)}${tokenRow('suppresses', feature.suppressed)}
${top
  .slice(0, openExamples)
  .map(example => exampleLine(example, scale))
  .join('\n')}
<details><summary>Distribution, ${top.length - Math.min(top.length, openExamples)} more strong and ${bands.length} weaker examples</summary>
${activationHistogram(feature)}
${[...top.slice(openExamples), ...bands].map(example => exampleLine(example, scale)).join('\n')}
</details>
</article>`
}

function activationHistogram({ histogram: counts, maxActivation }: Feature): string {
  const edges = Array.from({ length: counts.length + 1 }, (_, i) => (i / counts.length) * maxActivation)
  return histogram({ title: 'Activations where it fires', x: 'activation', y: 'tokens' }, edges, counts, {
    height: 150,
  })
}

function tokenRow(name: string, tokens: readonly { token: string; effect: number }[]): string {
  if (tokens.length === 0) return ''
  const parts = tokens.map(({ token, effect }) => `<span title="${short(effect)}">${visible(token)}</span>`)
  return `<div class="tokens"><small>${name}</small>${parts.join('')}</div>`
}

/** One example: each token shaded by the latent's activation there, as a share of the latent's largest. */
function exampleLine(
  { tokens, activations, position, start, activation, window }: ShownExample,
  scale: number,
): string {
  const parts = tokens.map((token, i) => {
    const value = activations[i] ?? 0
    if (value <= 0) return escapeHtml(token)
    const alpha = (0.12 + 0.58 * Math.min(1, value / scale)).toFixed(2)
    const peak = start + i === position ? ' class="peak"' : ''
    return `<mark${peak} style="--a:${alpha}" title="${short(value)}">${escapeHtml(token)}</mark>`
  })
  const separator = tokens.some(token => /^\s|\s$/.test(token)) ? '' : ' '
  return `<div class="example"><b title="${escapeHtml(window)}, position ${position}">${short(activation)}</b>${parts.join(separator)}</div>`
}

/** A token with its white space made visible. */
const visible = (token: string) =>
  escapeHtml(token.replace(/\n/g, '↵').replace(/\t/g, '⇥').replace(/^ | $/g, '·')) || '∅'

/** Histogram of the living latents' densities, on a logarithmic axis, with the dead ones counted. */
export function densityHistogram(features: readonly Feature[]): string {
  const alive = features.filter(({ density }) => density > 0).map(({ density }) => Math.log10(density))
  const dead = features.length - alive.length
  const low = Math.floor(alive.reduce((least, value) => Math.min(least, value), -3))
  const bins = -low * 5
  const counts = new Array<number>(bins).fill(0)
  for (const value of alive) counts[Math.min(bins - 1, Math.floor((value - low) * 5))]!++
  const edges = Array.from({ length: bins + 1 }, (_, i) => low + i / 5)
  const title = `How often latents fire (${alive.length} of ${features.length}; ${dead} never did)`
  return histogram({ title, x: 'share of tokens', y: 'latents' }, edges, counts, { tick: edge => short(10 ** edge) })
}
