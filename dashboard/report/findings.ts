/** What studies found of a feature, a sentence each, and what would change its tier. HTML. */
import { words } from '../../core/text.ts'
import type { FeatureEvidence } from '../../validation/evidence.ts'
import { short } from '../charts/index.ts'
import { shown } from '../html.ts'
import { changeText } from './change-text.ts'

type Studies = FeatureEvidence['studies']
type Sentence = (studies: Studies) => string | undefined

const percent = (share: number | null | undefined) =>
  share === null || share === undefined ? '–' : `${short(100 * share)} %`

/** What each study says, in the order of interest; undefined where it was not asked or could say nothing. */
const sentences: Readonly<Record<keyof Studies, Sentence>> = {
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
      ? `Kinds of edit: ${interventions.agree === null ? 'none claims a side' : kindsText(interventions.kinds)}.`
      : undefined,
  ceiling: ({ ceiling }) =>
    ceiling
      ? `Supervised ceiling: ${ceiling.share?.ratio === undefined ? 'no direction that was told the concept does anything' : `${percent(ceiling.share.ratio)} of what ${ceiling.ceiling ?? 'the best of them'} does`}.`
      : undefined,
  sets: ({ sets }) =>
    sets
      ? sets.latents.length > 1
        ? `Together with ${listed(sets.latents.slice(1).map(({ latent }) => String(latent)))}: ${short(sets.joint.effect.mean)} nats.`
        : 'Together: no other latent says the same.'
      : undefined,
  halves: ({ halves }) =>
    halves
      ? `Halves of the documents: both pass in ${halves.both} of ${halves.halvings} halvings, one in ${halves.one}, neither in ${halves.neither}.`
      : undefined,
  heterogeneity: ({ heterogeneity }) => (heterogeneity ? `Strata: ${strataText(heterogeneity.fields)}.` : undefined),
  robustness: ({ robustness }) =>
    robustness
      ? `Changed text: ${robustness.shifts.map(({ shift, kept, ratio }) => `${shift} ${{ yes: 'kept', no: 'not kept', unclear: 'unclear' }[kept]}${ratio ? ` (${percent(ratio.ratio)})` : ''}`).join(', ')}.`
      : undefined,
  siblings: ({ siblings }) =>
    siblings
      ? `In ${siblings.siblings.length} other SAEs: ${siblings.matched} have a matched latent, ${siblings.passed} of these pass.`
      : undefined,
  dormant: ({ dormant }) =>
    dormant
      ? `Pathway: ${dormant.dormant === null ? 'whether text takes it cannot be told' : dormant.dormant ? 'more than half of the effect is that of a part of the direction along which text does not move' : 'most of the effect is that of the part along which text moves'}.`
      : undefined,
  doses: ({ doses }) =>
    doses
      ? `Doses: ${doses.window.effectDose === null ? 'none has the smallest effect of interest' : `the effect from ${short(doses.window.effectDose)} on, KL at its cap ${doses.window.capDose === null ? 'at none' : `at ${short(doses.window.capDose)}`}; window ${doses.window.atLeast ? 'at least ' : ''}${short(doses.window.ratio)}`}.`
      : undefined,
  output: ({ output }) =>
    output
      ? `Amplified: output score ${short(output.outputScore.effect.mean)}${rankText(output.outputScore.p)}, confidence shift ${short(output.confidenceShift.effect.mean)}${rankText(output.confidenceShift.p)}.`
      : undefined,
  negatives: ({ negatives }) =>
    negatives
      ? `Hard negatives: ${negatives.told === null ? 'whether they are told apart cannot be said' : negatives.told ? 'told apart' : 'not told apart'}; AUROC ${short(negatives.sameToken.auroc)} for the same words, ${short(negatives.nearest.auroc)} for the nearest tokens.`
      : undefined,
  controls: ({ controls }) =>
    controls
      ? `Controls as shares of ablating it: ${controls.kinds.map(({ control, share }) => `${words(control)} ${share ? percent(share.ratio) : '–'}`).join(', ')}.`
      : undefined,
}

const listed = (names: readonly string[]) => names.join(', ') || 'none'
const rankText = (p: number | null) => (p === null ? '' : ` (p ${short(p)} among controls)`)

/** Parts of a sentence of which each is said only where it has something to name. */
const said = (...parts: readonly (readonly [string, readonly string[]])[]) =>
  parts.flatMap(([text, names]) => (names.length > 0 ? `${text} ${names.join(', ')}` : [])).join('; ') || 'none to tell'

/** Which kinds of edit move the target as claimed, and which do not. */
function kindsText(kinds: readonly { intervention: string; asClaimed: boolean | null }[]): string {
  const those = (claimed: boolean) => kinds.flatMap(one => (one.asClaimed === claimed ? one.intervention : []))
  return said(['as claimed by', those(true)], ['not by', those(false)])
}

/** In which fields every stratum shows the effect, and where it is least in the others. */
function strataText(fields: readonly { field: string; everywhere: boolean; worst: { value: string } }[]): string {
  return said(
    ['beyond the controls in each of', fields.flatMap(one => (one.everywhere ? one.field : []))],
    [
      'not shown in each of',
      fields.flatMap(one => (one.everywhere ? [] : `${one.field} (least in ${one.worst.value})`)),
    ],
  )
}

const between = (low: number | null, high: number | null, text: (value: number) => string = short) =>
  low === null || high === null ? '' : ` [${text(low)}, ${text(high)}]`
const foundText = (found: boolean | null) => (found === null ? 'not known to be' : found ? '' : 'not')
const ordinal = (place: number) => (place === 1 ? '' : `only ${place}. `)

/** A list of what studies found; those that could say nothing are named. */
export function findingsHtml({ studies }: FeatureEvidence): string {
  const asked = Object.keys(studies) as (keyof Studies)[]
  const known = asked.flatMap(name => sentences[name](studies) ?? [])
  const silent = asked.filter(name => studies[name] === null)
  const rest = silent.length > 0 ? [`Nothing to say: ${silent.map(words).join(', ')}.`] : []
  const items = [...known, ...rest].map(text => `<li>${shown(text.replace(/\s+/g, ' '), 600)}</li>`)
  return items.length === 0 ? '' : `<h4>Further questions</h4><ul>${items.join('')}</ul>`
}

/** What would make another tier of it. */
export function changesHtml({ tier }: FeatureEvidence): string {
  if (tier.wouldChange.length === 0) return ''
  const items = tier.wouldChange
    .slice(0, 8)
    .map(change => `<li>${changeText(change)} <code class="soft">${shown(change.path)}</code></li>`)
  return `<h4>What would change it</h4><ul>${items.join('')}</ul>`
}
