/** What studies found of a feature, a sentence each, and what would change its tier. HTML. */
import { words } from '../../core/text.ts'
import type { FeatureEvidence } from '../../validation/evidence.ts'
import { short } from '../charts/index.ts'
import { shown } from '../html.ts'

type Studies = FeatureEvidence['studies']
type Sentence = (studies: Studies) => string | undefined

const percent = (share: number | null | undefined) =>
  share === null || share === undefined ? '–' : `${short(100 * share)} %`

/** What each study says, in the order of interest; undefined where it was not asked or could say nothing. */
const sentences: Readonly<Partial<Record<keyof Studies, Sentence>>> = {
  transfer: ({ transfer }) =>
    transfer
      ? `Out of distribution: ${transfer.verdict}, ${transfer.reason}; ${percent(transfer.ratio)} of the difference on validation text${between(transfer.ratioLow, transfer.ratioHigh, percent)}.`
      : undefined,
  specificity: ({ specificity }) =>
    specificity
      ? `Specificity: of ${specificity.among} concepts’ targets the own one is moved ${ordinal(specificity.rank)} farthest; ${specificity.isolated === null ? 'whether the others are left alone cannot be told' : specificity.isolated ? 'all others are left alone' : `not left alone: ${specificity.leaks.join(', ') || 'some'}`}.`
      : undefined,
  association: ({ association }) =>
    association
      ? `Within the token: ${association.finding.replaceAll('-', ' ')}${association.withinToken ? `, AUROC among equal tokens ${short(association.withinToken.estimate)}${between(association.withinToken.low, association.withinToken.high)}` : ''}.`
      : undefined,
  interchange: ({ interchange }) =>
    interchange
      ? `Interchange of documents: ${foundText(interchange.sufficiency.found)} sufficient, ${foundText(interchange.necessity.found)} necessary${interchange.backup ? '; something else does the same' : ''}.`
      : undefined,
  interventions: ({ interventions }) =>
    interventions
      ? `Kinds of edit: ${interventions.agree === null ? 'none claims a side' : interventions.agree ? 'all move the target as claimed' : 'not all move the target as claimed'} (${interventions.kinds.map(({ intervention }) => intervention).join(', ')}).`
      : undefined,
  ceiling: ({ ceiling }) =>
    ceiling
      ? `Supervised ceiling: ${ceiling.share?.ratio === undefined ? 'no direction that was told the concept does anything' : `${percent(ceiling.share.ratio)} of what ${ceiling.ceiling ?? 'the best of them'} does`}.`
      : undefined,
  sets: ({ sets }) =>
    sets && sets.latents.length > 1
      ? `Together with ${sets.latents
          .slice(1)
          .map(({ latent }) => latent)
          .join(', ')}: ${short(sets.joint.effect.mean)} nats.`
      : undefined,
}

const between = (low: number | null, high: number | null, text: (value: number) => string = short) =>
  low === null || high === null ? '' : ` [${text(low)}, ${text(high)}]`
const foundText = (found: boolean | null) => (found === null ? 'not known to be' : found ? '' : 'not')
const ordinal = (place: number) => (place === 1 ? '' : `only ${place}. `)

/** A list of what studies found; those without a sentence of their own are named. */
export function findingsHtml({ studies }: FeatureEvidence): string {
  const asked = Object.keys(studies) as (keyof Studies)[]
  const known = asked.flatMap(name => sentences[name]?.(studies) ?? [])
  const silent = asked.filter(name => studies[name] === null)
  const others = asked
    .filter(name => studies[name] !== null && !sentences[name])
    .map(name => `${words(name)}: in evidence.json.`)
  const rest = silent.length > 0 ? [`Nothing to say: ${silent.map(words).join(', ')}.`] : []
  const items = [...known, ...others, ...rest].map(text => `<li>${shown(text.replace(/\s+/g, ' '), 600)}</li>`)
  return items.length === 0 ? '' : `<h4>Further questions</h4><ul>${items.join('')}</ul>`
}

/** What would make another tier of it. */
export function changesHtml({ tier }: FeatureEvidence): string {
  if (tier.wouldChange.length === 0) return ''
  const text = (value: string | number | boolean | null) =>
    value === null ? 'not known' : typeof value === 'number' ? short(value) : String(value)
  const items = tier.wouldChange
    .slice(0, 8)
    .map(
      ({ to, path, needs, threshold, value }) =>
        `<li><b>${shown(to)}</b>: <code>${shown(path)}</code> ${shown(needs)} ${shown(text(threshold))}, now ${shown(text(value))}</li>`,
    )
  return `<h4>What would change it</h4><ul>${items.join('')}</ul>`
}
