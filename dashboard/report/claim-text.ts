/** What a claim and its verdict are in words. */
import { definitions, type FeatureEvidence } from '../../validation/evidence.ts'
import { short } from '../charts/index.ts'
import { escapeHtml, shown } from '../html.ts'
import { valued } from '../origin.ts'

/** How the page calls a kind of control. */
export const controlNames: Readonly<Record<string, string>> = {
  tied: 'random directions that fire as often',
  random: 'random directions, equal norm',
  foreign: 'other latents, equal norm',
  covariance: 'directions along the values’ variation',
}

/** What the verdicts mean, in the order of interest. */
export const verdictMeanings = {
  pass: 'beyond every kind of control, by more than the smallest effect of interest',
  fail: 'beyond some kind of control it is less than the smallest effect of interest, or such an effect would have been found; or the claim’s concept or another condition of it does not hold',
  inconclusive: 'neither: too few documents or controls to tell',
  'not-run': 'not tested, or not to be tested on these documents',
} as const

/** What decided a tier, by its rule. */
export const ruleText = (rule: string): string => rules[rule] ?? rule.replaceAll('-', ' ')
const rules: Readonly<Record<string, string>> = {
  'not-measured': 'nothing was measured',
  'no-effect': 'no effect of interest beyond the controls',
  'not-selective': 'it does not tell its concept',
  'a-falsifier-is-found': 'what would refute it by its own words was found',
  'ranks-before-correction': 'it ranks among its controls before the correction for other claims',
  'does-not-rank': 'it does not rank among its controls',
  'lines-missing': 'further lines of evidence are missing',
  'lines-agree': 'further lines of evidence agree',
  'a-line-contradicts': 'a further line of evidence contradicts it',
}

/** An effect as what it is: `ablation`, `steering at dose 1`. */
export const interventionText = (intervention: 'ablate' | 'steer', dose: number | null): string =>
  intervention === 'ablate' ? 'ablation' : `steering at dose ${short(dose)}`

/** `1 document`, `12 documents`. */
export const documentsText = (count: number): string => `${count} ${count === 1 ? 'document' : 'documents'}`

/** What was done, what it did, on how many documents, against what, and how far that goes. HTML. */
export function verdictSentence(feature: FeatureEvidence): string {
  const { claim, tier, verdict } = feature
  const primary = feature[claim.primary]
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
  const controls = primary.metrics.target.controls.map(
    ({ control, mean, spread }, i) =>
      `${escapeHtml(controlNames[control] ?? control)} ${valued(short(mean), controlNames[control] ?? control, { definition: 'mean of the controls’ mean effects on the target, nats', path: `${claim.primary}.metrics.target.controls[${i}].mean` })}${spread.low === null || spread.high === null ? '' : ` (${short(spread.low)} to ${short(spread.high)})`}`,
  )
  const against = controls.length > 0 ? ` Controls: ${controls.join('; ')}.` : ''
  const act = interventionText(claim.primary, claim.dose)
  return `${act.charAt(0).toUpperCase()}${escapeHtml(act.slice(1))} ${moved} the target of ${about} by ${valued(short(Math.abs(effect.mean)), 'Effect on the target, nats', { definition: definitions.target, path: `${claim.primary}.metrics.target.effect.mean` })} nats${ends} over ${documentsText(effect.documents)}, ${beaten}.${against} q ${valued(short(primary.test.q), 'q', { definition: definitions.q, path: `${claim.primary}.test.q` })}; smallest effect of interest ${short(claim.smallestEffect)}. The claim is <b>${shown(tier.tier)}</b> (${shown(ruleText(tier.rule))}).`
}
