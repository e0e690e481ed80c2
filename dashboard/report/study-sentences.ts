/** What each study found of a feature, in one sentence: one for each case that it can come to. */
import { words } from '../../core/text.ts'
import type { FeatureEvidence } from '../../validation/evidence.ts'
import { short } from '../charts/index.ts'

type Studies = FeatureEvidence['studies']
type Found = { readonly [Name in keyof Studies]-?: NonNullable<Studies[Name]> }

const sentences: { readonly [Name in keyof Found]: (found: Found[Name]) => string } = {
  transfer({ verdict, reason, ratio, ratioLow, ratioHigh }) {
    const told = `Out of distribution: ${verdict}, ${reason}`
    if (ratio === null) return `${told}.`
    return `${told}; ${percent(ratio)} of the difference on validation text${between(ratioLow, ratioHigh, percent)}.`
  },

  specificity({ among, rank, isolated, leaks }) {
    const moved = `Specificity: of ${among} concepts’ targets the own one is moved ${rank === 1 ? 'farthest' : `only ${rank}. farthest`}`
    if (isolated === null) return `${moved}; whether the others are left alone cannot be told.`
    if (isolated) return `${moved}; all others are left alone.`
    return `${moved}; not left alone: ${leaks.join(', ') || 'some'}.`
  },

  association({ finding, withinToken }) {
    const told = `Within the token: ${finding.replaceAll('-', ' ')}`
    if (!withinToken) return `${told}.`
    const { estimate, low, high } = withinToken
    return `${told}, AUROC among equal tokens ${short(estimate)}${between(low, high)}.`
  },

  interchange({ sufficiency, necessity, backup }) {
    const told = (found: boolean | null, what: string) =>
      found === null ? `not known to be ${what}` : found ? what : `not ${what}`
    const both = `${told(sufficiency.found, 'sufficient')}, ${told(necessity.found, 'necessary')}`
    return `Interchange of documents: ${both}${backup ? '; something else does the same' : ''}.`
  },

  interventions({ agree, kinds }) {
    if (agree === null) return 'Kinds of edit: none claims a side.'
    const those = (claimed: boolean) =>
      kinds.flatMap(({ intervention, asClaimed }) => (asClaimed === claimed ? [intervention] : [])).join(', ')
    const [as, not] = [those(true), those(false)]
    if (not === '') return `Kinds of edit: as claimed by ${as}.`
    if (as === '') return `Kinds of edit: not as claimed by ${not}.`
    return `Kinds of edit: as claimed by ${as}; not by ${not}.`
  },

  ceiling({ share, ceiling }) {
    if (share?.ratio === undefined) return 'Supervised ceiling: no direction that was told the concept does anything.'
    return `Supervised ceiling: ${percent(share.ratio)} of what ${ceiling ?? 'the best of them'} does.`
  },

  sets({ latents, joint }) {
    const [, ...others] = latents
    if (others.length === 0) return 'Together: no other latent says the same.'
    return `Together with ${others.map(({ latent }) => latent).join(', ')}: ${short(joint.effect.mean)} nats.`
  },

  halves({ both, one, neither, halvings }) {
    return `Halves of the documents: both pass in ${both} of ${halvings} halvings, one in ${one}, neither in ${neither}.`
  },

  heterogeneity({ fields }) {
    const shown = fields.flatMap(({ everywhere, field }) => (everywhere ? [field] : [])).join(', ')
    const open = fields
      .flatMap(({ everywhere, field, worst }) => (everywhere ? [] : [`${field} (least in ${worst.value})`]))
      .join(', ')
    if (fields.length === 0) return 'Strata: none has documents enough.'
    if (open === '') return `Strata: beyond the controls in every stratum of ${shown}.`
    if (shown === '') return `Strata: not shown to be beyond the controls in every stratum of ${open}.`
    return `Strata: beyond the controls in every stratum of ${shown}; not shown to be in every one of ${open}.`
  },

  robustness({ shifts }) {
    const kept = { yes: 'kept', no: 'not kept', unclear: 'unclear' }
    const told = shifts.map(one => `${one.shift} ${kept[one.kept]}${one.ratio ? ` (${percent(one.ratio.ratio)})` : ''}`)
    return `Changed text: ${told.join(', ')}.`
  },

  siblings({ siblings: { length }, matched, passed }) {
    const all = length === 1 ? 'one other SAE' : `${length} other SAEs`
    if (matched === 0) return `In ${all}: no latent matches it.`
    const have = length === 1 ? 'a latent matches it' : `a latent matches it in ${matched}`
    if (passed === 0) return `In ${all}: ${have}, and none passes.`
    return matched === 1 ? `In ${all}: ${have}, and passes.` : `In ${all}: ${have}, and passes in ${passed}.`
  },

  dormant({ dormant }) {
    if (dormant === null) return 'Pathway: whether text takes it cannot be told.'
    return dormant
      ? 'Pathway: more than half of the effect is that of a part of the direction along which text does not move.'
      : 'Pathway: most of the effect is that of the part along which text moves.'
  },

  doses({ window: { effectDose, capDose, ratio, atLeast } }) {
    if (effectDose === null) return 'Doses: none has the smallest effect of interest.'
    const from = `Doses: the effect from ${short(effectDose)} on`
    const size = `window ${atLeast ? 'at least ' : ''}${short(ratio)}`
    return capDose === null
      ? `${from}, KL at its cap at none; ${size}.`
      : `${from}, KL at its cap at ${short(capDose)}; ${size}.`
  },

  output({ outputScore, confidenceShift }) {
    const told = ({ effect, p }: typeof outputScore) =>
      `${short(effect.mean)}${p === null ? '' : ` (p ${short(p)} among controls)`}`
    return `Amplified: output score ${told(outputScore)}, confidence shift ${told(confidenceShift)}.`
  },

  negatives({ told, sameToken, nearest }) {
    const auroc = `AUROC ${short(sameToken.auroc)} for the same words, ${short(nearest.auroc)} for the nearest tokens`
    if (told === null) return `Hard negatives: whether they are told apart cannot be said; ${auroc}.`
    return `Hard negatives: ${told ? 'told apart' : 'not told apart'}; ${auroc}.`
  },

  controls({ kinds }) {
    const shares = kinds.map(({ control, share }) => `${words(control)} ${share ? percent(share.ratio) : '–'}`)
    return `Controls as shares of ablating it: ${shares.join(', ')}.`
  },
}

/** What a study says of the feature; undefined where it was not asked or could say nothing. */
export function studySentence<Name extends keyof Found>(name: Name, studies: Studies): string | undefined {
  const found = studies[name] as Found[Name] | null | undefined
  return found ? sentences[name](found) : undefined
}

const percent = (share: number) => `${short(100 * share)} %`
const between = (low: number | null, high: number | null, text: (value: number) => string = short) =>
  low === null || high === null ? '' : ` [${text(low)}, ${text(high)}]`
